"""XML from strangers, as the record reads it; what is refused becomes a refusal of the bridge."""

from __future__ import annotations

from lxml import etree

from dossier import MAX_XML, UnsafeXmlError, parse_xml
from gateway.dmp_bridge.errors import XmlError


def parse(data: bytes, what: str, *, limit: int = MAX_XML) -> etree._Element:
    """See :func:`dossier.parse_xml`. Raises :class:`XmlError` ``xml.*``."""
    try:
        return parse_xml(data, what, limit=limit)
    except UnsafeXmlError as error:
        raise XmlError(error.rule, error.peer) from None
