// Reads an iCalendar file on standard input as Mozilla's library does; prints what takes place before argv[2]
// (an ISO moment): [{summary, location, start, end, uid, alarms}], times in UTC.
import { readFileSync } from "node:fs";
const { default: ICAL } = await import(`${process.cwd()}/node_modules/ical.js/dist/ical.js`);
const calendar = new ICAL.Component(ICAL.parse(readFileSync(0, "utf8")));
for (const zone of calendar.getAllSubcomponents("vtimezone")) ICAL.TimezoneService.register(zone);
const events = calendar.getAllSubcomponents("vevent");
const changed = events.filter((one) => one.hasProperty("recurrence-id"));
const before = new Date(process.argv[2]).getTime();
const found = [];
for (const component of events.filter((one) => !one.hasProperty("recurrence-id"))) {
  const event = new ICAL.Event(component);
  for (const one of changed) if (one.getFirstPropertyValue("uid") === event.uid) event.relateException(one);
  const put = (item, start, end) => found.push({
    summary: item.summary, location: item.location ?? "", uid: item.uid,
    start: start.toJSDate().toISOString(), end: end.toJSDate().toISOString(),
    alarms: component.getAllSubcomponents("valarm").map((alarm) => alarm.getFirstPropertyValue("trigger").toString()),
  });
  if (!event.isRecurring()) { put(event, event.startDate, event.endDate); continue; }
  const iterator = event.iterator();
  for (let next = iterator.next(); next && next.toJSDate().getTime() < before; next = iterator.next()) {
    const detail = event.getOccurrenceDetails(next);
    put(detail.item, detail.startDate, detail.endDate);
  }
}
found.sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : a.summary < b.summary ? -1 : 1));
console.log(JSON.stringify({ name: calendar.getFirstPropertyValue("name") ?? "", found }));
