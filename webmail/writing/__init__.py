"""Writing: answers, drafts, new letters to pharmacies, receipts for reading.

This door holds what other pages show of it; it loads no page. The pages are in ``webmail.writing.routes``.
"""

from webmail.writing.answers import AnswerBox, answer_box, answer_boxes
from webmail.writing.receipts_asked import receipt_state
from webmail.writing.sent import SentState, sent_state, state_of

__all__ = [
    "AnswerBox",
    "SentState",
    "answer_box",
    "answer_boxes",
    "receipt_state",
    "sent_state",
    "state_of",
]
