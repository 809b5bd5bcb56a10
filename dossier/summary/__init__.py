"""The summary of the medical profile, to download and to send: "Ma santé en résumé".

A heavy library (ReportLab) is loaded with it: import it where summaries are made.
"""

from dossier.summary.making import save_summary, summary_pdf, summary_sheet
from dossier.summary.pdf import render
from dossier.summary.sheet import Block, Grid, Sheet

__all__ = ["Block", "Grid", "Sheet", "render", "save_summary", "summary_pdf", "summary_sheet"]
