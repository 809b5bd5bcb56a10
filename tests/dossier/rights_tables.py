# ruff: noqa: E501  # rows of tables
"""The rights a second time: as rows of text, by who asks. Every combination of facts meets exactly one row.

An outcome is ``yes``, ``no`` or ``kept`` (refused, and not to be learnt of) with its rule; ``door`` and ``seen``
stand for the outcome of the table of that name.
"""

from __future__ import annotations

from tests.routing.decision_tables import table

PERSON_DOCUMENT = table(
    """
  action                          by             viewer              open status              withheld hidden mine => outcome
  *                               *              stranger            *    *                   *        *      *    => no dossier.stranger
  *                               *              self|representative no   *                   *        *      *    => no dossier.closed
  *                               *              self|representative yes  deleted             *        *      *    => kept dossier.deleted
  *                               *              self|representative yes  approved|deprecated yes      *      *    => kept dossier.withheld
  *                               representative self|representative yes  approved|deprecated no       yes    *    => kept dossier.hidden
  *                               patient        representative      yes  approved|deprecated no       yes    *    => kept dossier.hidden
  see|read|mask|unmask|hide|show  patient        self                yes  approved|deprecated no       *      *    => yes dossier.patient
  replace|delete                  patient        self                yes  approved|deprecated no       *      yes  => yes dossier.patient
  replace|delete                  patient        self                yes  approved|deprecated no       *      no   => no dossier.author
  withhold|announce               patient        self                yes  approved|deprecated no       *      *    => no dossier.reserved
  see|read|mask|unmask|hide       patient        representative      yes  approved|deprecated no       no     *    => yes dossier.representative
  see|read|mask|unmask            representative self|representative yes  approved|deprecated no       no     *    => yes dossier.representative
  replace|delete                  patient        representative      yes  approved|deprecated no       no     yes  => yes dossier.representative
  replace|delete                  representative self|representative yes  approved|deprecated no       no     yes  => yes dossier.representative
  replace|delete                  patient        representative      yes  approved|deprecated no       no     no   => no dossier.author
  replace|delete                  representative self|representative yes  approved|deprecated no       no     no   => no dossier.author
  withhold|announce|show          patient        representative      yes  approved|deprecated no       no     *    => no dossier.reserved
  withhold|announce|show|hide     representative self|representative yes  approved|deprecated no       no     *    => no dossier.reserved
    """
)

PERSON_RECORD = table(
    """
  action          by             viewer              open => outcome
  *               *              stranger            *    => no dossier.stranger
  *               *              self|representative no   => no dossier.closed
  declare_consent *              self|representative yes  => no dossier.reserved
  deposit|mask_all|unmask_all|block|unblock|authorise|appoint|dismiss|set_emergency|read_history|export|import|read_profile|write_profile|read_vaccinations|add_vaccination|read_wishes|read_measures|write_measures patient self yes => yes dossier.patient
  deposit|mask_all|unmask_all|block|unblock|authorise|appoint|dismiss|set_emergency|read_history|export|import|read_profile|write_profile|read_vaccinations|add_vaccination|read_wishes|read_measures|write_measures patient representative yes => yes dossier.representative
  deposit|mask_all|unmask_all|block|unblock|authorise|appoint|dismiss|set_emergency|read_history|export|import|read_profile|write_profile|read_vaccinations|add_vaccination|read_wishes|read_measures|write_measures representative self|representative yes => yes dossier.representative
    """
)

#: What lets a professional in.
DOOR = table(
    """
  purpose            blocked reasoned authorised treating regulation_refused glass_refused => outcome
  regulation         *       *        *          *        yes                *             => no dossier.emergency_refused
  regulation         *       *        *          *        no                 *             => yes dossier.regulation
  normal|break_glass yes     *        *          *        *                  *             => no dossier.blocked
  break_glass        no      *        *          *        *                  yes           => no dossier.emergency_refused
  break_glass        no      no       *          *        *                  no            => no dossier.reason
  break_glass        no      yes      *          *        *                  no            => yes dossier.break_glass
  normal             no      *        *          yes      *                  *             => yes dossier.treating
  normal             no      *        yes        no       *                  *             => yes dossier.authorised
  normal             no      *        no         no       *                  *             => no dossier.not_authorised
    """
)

#: What a professional finds in lists and reads. ``treating``, here and below: and not blocked.
SEEN = table(
    """
  open status              own blocked door treating masked all_masked bared allowed => outcome
  no   *                   *   *       *    *        *      *          *     *       => no dossier.closed
  yes  deleted             *   *       *    *        *      *          *     *       => kept dossier.deleted
  yes  approved|deprecated yes no      *    *        *      *          *     *       => yes dossier.own
  yes  approved|deprecated yes yes     *    *        *      *          *     *       => door
  yes  approved|deprecated no  *       no   *        *      *          *     *       => door
  yes  approved|deprecated no  *       yes  no       yes    *          *     *       => kept dossier.masked
  yes  approved|deprecated no  *       yes  no       no     yes        no    *       => kept dossier.masked
  yes  approved|deprecated no  *       yes  no       no     yes        yes   no      => no dossier.habilitation
  yes  approved|deprecated no  *       yes  no       no     yes        yes   yes     => door
  yes  approved|deprecated no  *       yes  no       no     no         *     no      => no dossier.habilitation
  yes  approved|deprecated no  *       yes  no       no     no         *     yes     => door
  yes  approved|deprecated no  *       yes  yes      *      *          *     no      => no dossier.habilitation
  yes  approved|deprecated no  *       yes  yes      *      *          *     yes     => door
    """
)

#: What a professional changes; ``seen`` is what the table above says of seeing it.
CHANGED = table(
    """
  action                                    open status              own seen treating masked withheld announced => outcome
  *                                         no   *                   *   *    *        *      *        *         => no dossier.closed
  *                                         yes  deleted             *   *    *        *      *        *         => kept dossier.deleted
  replace|delete|hide|show|announce         yes  approved|deprecated yes *    *        *      *        *         => yes dossier.own
  unmask                                    yes  approved|deprecated yes *    *        *      *        *         => no dossier.reserved
  mask                                      yes  approved|deprecated yes *    *        *      yes      *         => no dossier.together
  mask                                      yes  approved|deprecated yes *    *        *      no       *         => yes dossier.own
  withhold                                  yes  approved|deprecated yes *    *        yes    *        *         => no dossier.together
  withhold                                  yes  approved|deprecated yes *    *        no     *        yes       => no dossier.announced
  withhold                                  yes  approved|deprecated yes *    *        no     *        no        => yes dossier.own
  *                                         yes  approved|deprecated no  no   *        *      *        *         => seen
  *                                         yes  approved|deprecated no  yes  no       *      *        *         => no dossier.author
  replace|delete|hide|show|unmask|withhold  yes  approved|deprecated no  yes  yes      *      *        *         => no dossier.author
  announce                                  yes  approved|deprecated no  yes  yes      *      *        *         => yes dossier.treating
  mask                                      yes  approved|deprecated no  yes  yes      *      yes      *         => no dossier.together
  mask                                      yes  approved|deprecated no  yes  yes      *      no       *         => yes dossier.treating
    """
)

#: The parts that are no documents; ``row`` is what the matrix has of that part.
PART = table(
    """
  action                       open door row => outcome
  *                            no   *    *   => no dossier.closed
  write_profile|write_measures yes  *    *   => no dossier.reserved
  read_profile|read_vaccinations|add_vaccination|read_wishes|read_measures yes no  *   => door
  read_profile|read_vaccinations|add_vaccination|read_wishes|read_measures yes yes no  => no dossier.habilitation
  read_profile|read_vaccinations|add_vaccination|read_wishes|read_measures yes yes yes => door
    """
)

PROFESSIONAL_RECORD = table(
    """
  action             open blocked treating => outcome
  *                  no   *       *        => no dossier.closed
  deposit            yes  *       *        => yes dossier.feeding
  declare_consent    yes  yes     *        => no dossier.blocked
  declare_consent    yes  no      *        => yes dossier.consent
  block|read_history yes  *       no       => no dossier.reserved
  block|read_history yes  yes     yes      => no dossier.blocked
  block|read_history yes  no      yes      => yes dossier.treating
  mask_all|unmask_all|unblock|authorise|appoint|dismiss|set_emergency|export|import yes * * => no dossier.reserved
    """
)

STRUCTURE = table(
    """
  action                  open status              own => outcome
  *                       no   *                   *   => no dossier.closed
  deposit                 yes  *                   *   => yes dossier.feeding
  see|read|replace|delete|mask|unmask|withhold|announce|hide|show yes deleted             *   => kept dossier.deleted
  see|read|replace|delete|mask|unmask|withhold|announce|hide|show yes approved|deprecated no  => kept dossier.author
  see|read|replace|delete                                         yes approved|deprecated yes => yes dossier.own
  mask|unmask|withhold|announce|hide|show                         yes approved|deprecated yes => no dossier.reserved
  mask_all|unmask_all|block|unblock|authorise|declare_consent|appoint|dismiss|set_emergency|read_history|export|import|read_profile|write_profile|read_vaccinations|add_vaccination|read_wishes|read_measures|write_measures yes * * => no dossier.reserved
    """
)

OPERATOR_DOCUMENT = table(
    """
  action                    open status              reasoned withheld => outcome
  *                         *    deleted             *        *        => kept dossier.deleted
  see                       *    approved|deprecated *        *        => yes dossier.operator
  read                      *    approved|deprecated *        *        => no dossier.content
  replace|delete            *    approved|deprecated *        *        => no dossier.author
  withhold|show             *    approved|deprecated *        *        => no dossier.reserved
  mask|unmask|announce|hide no   approved|deprecated *        *        => no dossier.closed
  mask|unmask|announce|hide yes  approved|deprecated no       *        => no dossier.reason
  mask                      yes  approved|deprecated yes      yes      => no dossier.together
  mask                      yes  approved|deprecated yes      no       => yes dossier.operator
  unmask|announce|hide      yes  approved|deprecated yes      *        => yes dossier.operator
    """
)

OPERATOR_RECORD = table(
    """
  action                                                                         open reasoned => outcome
  read_profile|read_vaccinations|read_wishes|read_measures                       *    *        => no dossier.content
  write_profile|add_vaccination|write_measures|deposit|declare_consent           *    *        => no dossier.reserved
  mask_all|unmask_all|block|unblock|authorise|appoint|dismiss|set_emergency|import no *        => no dossier.closed
  mask_all|unmask_all|block|unblock|authorise|appoint|dismiss|set_emergency|import yes no      => no dossier.reason
  mask_all|unmask_all|block|unblock|authorise|appoint|dismiss|set_emergency|import yes yes     => yes dossier.operator
  read_history|export                                                            *    no       => no dossier.reason
  read_history|export                                                            *    yes      => yes dossier.operator
    """
)
