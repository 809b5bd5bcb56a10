"""An import's entry: in this process, or in one of its own so that reading and writing use two cores.

When this process holds the writer, a large file is read and compared by a child
process that sends its changes to the writer here, as a verb beside a running gateway does.
The child is told what to do on its standard input and answers on its standard output, a line of JSON each.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import msgspec

from annuaire import ops
from annuaire.errors import ExtractionError
from annuaire.extraction import open_extraction
from annuaire.importer import HISTORY_MS, ImportReport, Progress, Wishes, clean, import_file
from store import PasserelleError, Store, StoreError

#: Smaller files are not worth a process.
_LARGE: Final = 16 << 20
#: Rows per transaction when no gateway waits for the writer.
_ALONE: Final = 20_000


class _Task(msgspec.Struct):
    """What the child is told."""

    home: str
    url: str
    path: str
    wishes: Wishes


class _Answer(msgspec.Struct, omit_defaults=True):
    """A line of the child's: progress, or the end."""

    read: int = 0
    size: int = 0
    report: ImportReport | None = None
    rule: str = ""
    text: str = ""
    ours: bool = False


def import_extraction(
    store: Store,
    path: Path,
    *,
    progress: Progress | None = None,
    accept_shrink: bool = False,
    accept_older: bool = False,
    dry_run: bool = False,
    local: bool = False,
    history_ms: int = HISTORY_MS,
) -> ImportReport:
    """Load the extraction at ``path`` (which one, its header tells) and put it in use. Blocking.

    :param progress: called with (bytes read, bytes in all) now and then.
    :param dry_run: compare only; nothing is written.
    :param local: a list of our own in the layout of the mailboxes (APP boxes that are not published, boxes
        on the ``Liste rouge``): it stands beside the national one and replaces the local one before it.
    :param history_ms: how long ended rows are kept, for look-ups of the past.

    Raises :class:`ExtractionError`, the old data staying in use, when the file cannot be read or is
    truncated, when a column is missing, when more than one row in twenty is bad, when nothing is left,
    when it holds less than four fifths of the rows in use (unless ``accept_shrink``), or when its name
    dates it before the one in use (unless ``accept_older``).
    """
    wishes = Wishes(
        local=local,
        dry_run=dry_run,
        accept_shrink=accept_shrink,
        accept_older=accept_older,
        history_ms=history_ms,
    )
    alone = store.is_writer and store.url.startswith("sqlite:")
    if not alone or not path.exists() or path.stat().st_size < _LARGE:
        return import_file(store, path, wishes, progress)
    return _in_child(store, path, msgspec.structs.replace(wishes, chunk=_ALONE), progress)


def _in_child(store: Store, path: Path, wishes: Wishes, progress: Progress | None) -> ImportReport:
    task = _Task(str(store.home), store.url, str(path), wishes)
    command = [sys.executable, "-c", "from annuaire.worker import main; main()"]
    root = Path(__file__).resolve().parents[1]
    with subprocess.Popen(  # noqa: S603  # our own program
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root
    ) as child:
        assert child.stdin is not None and child.stdout is not None
        try:
            child.stdin.write(msgspec.json.encode(task))
            child.stdin.close()
            for line in child.stdout:
                answer = msgspec.json.decode(line, type=_Answer)
                if answer.report is not None:
                    return answer.report
                if answer.rule:
                    kind: Any = StoreError if answer.ours else ExtractionError
                    raise kind(answer.rule, answer.text)
                if progress is not None:
                    progress(answer.read, answer.size)
            raise StoreError("annuaire.import", "the importing process ended before its work was done")
        except BaseException:
            child.kill()
            child.wait()
            with open_extraction(path) as extraction:
                source = "local" if wishes.local else extraction.mapping.layout.source
            store.write(ops.give_up, source=source, number=0)
            clean(store, source, wishes.chunk)
            raise


def main() -> None:
    """The child's life: one task, answers, the end."""
    gc.disable()  # millions of rows come and go, none of them in a circle
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=_Task)
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what is logged here is not an answer

    def answer(what: _Answer) -> None:
        out.write(msgspec.json.encode(what) + b"\n")
        out.flush()

    steps = 0

    def progress(read: int, size: int) -> None:
        nonlocal steps
        steps += 1
        if steps % 16 == 0:
            answer(_Answer(read=read, size=size))

    try:
        with Store.open(Path(task.home), url=task.url, may_lead=False, folder_notices=False) as store:
            answer(_Answer(report=import_file(store, Path(task.path), task.wishes, progress)))
    except PasserelleError as error:
        answer(_Answer(rule=error.rule, text=error.log, ours=isinstance(error, StoreError)))
