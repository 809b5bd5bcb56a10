"""The journal of what happened to a patient's record, agenda and consents: who, what, when, why refused.

It also keeps who is to be told of it, how often, and what he was told already.
"""

from activity.errors import ActivityError
from activity.journal import counts, entries, entry, note, person, record, subjects
from activity.keeping import Kept, Title, keeps, kept, names, titles
from activity.model import (
    OTHERS,
    PROFESSIONALS,
    Activity,
    Actor,
    Asked,
    By,
    Counts,
    Details,
    Entry,
    Kind,
    Purpose,
    What,
)
from activity.notices import (
    News,
    Notice,
    Outcome,
    begin_notices,
    claim_notices,
    end_notice,
    fail_notice,
    notice_counts,
    notice_of,
    notices_of,
    release_notices,
    set_wish,
    take_news,
)
from activity.verification import JournalReport, check
from activity.wishes import WISHES, Cadence, Wish
from activity.words import Known, Words, sentence, who

__all__ = [
    "OTHERS",
    "PROFESSIONALS",
    "WISHES",
    "Activity",
    "ActivityError",
    "Actor",
    "Asked",
    "By",
    "Cadence",
    "Counts",
    "Details",
    "Entry",
    "JournalReport",
    "Kept",
    "Kind",
    "Known",
    "News",
    "Notice",
    "Outcome",
    "Purpose",
    "Title",
    "What",
    "Wish",
    "Words",
    "begin_notices",
    "check",
    "claim_notices",
    "counts",
    "end_notice",
    "entries",
    "entry",
    "fail_notice",
    "keeps",
    "kept",
    "names",
    "note",
    "notice_counts",
    "notice_of",
    "notices_of",
    "person",
    "record",
    "release_notices",
    "sentence",
    "set_wish",
    "subjects",
    "take_news",
    "titles",
    "who",
]
