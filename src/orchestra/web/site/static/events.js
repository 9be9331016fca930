// What has happened to a player, and to all below it; the newest first.

import { element } from "./dom.js";
import { Feed } from "./feed.js";
import { relative } from "./line.js";
import { fullTime, plain, plural, timeOfDay } from "./words.js";

const MOST = 1_000;
const TONES = { Failed: "bad", CutOff: "bad", Abandoned: "bad", BackingOff: "warn", Ready: "good" };
const KNOWN = ["path", "time", "implied"];

export class EventsView {
  constructor({ path, node, tell }) {
    this.path = path;
    this.tell = tell;
    this.failed = false;
    this.table = element("table", "events");
    this.body = element("tbody");
    this.table.append(this.body);
    this.none = element("p", "remark", "Nothing has happened since this is recorded.");
    this.none.hidden = true;
    node.append(this.table, this.none);
    this.feed = new Feed(path, ["events", { limit: 500 }], {
      first: ({ events }) => this.take(events),
      entries: (entries) => this.take(entries.filter((entry) => entry.type === "event")),
      failed: (error) => {
        this.failed = true;
        node.replaceChildren(element("p", "remark", error.message));
        tell("");
      },
    });
  }

  take(events) {
    this.body.prepend(...events.map((event) => rowOf(event, this.path)).reverse());
    while (this.body.rows.length > MOST) this.body.lastElementChild.remove();
    this.none.hidden = this.body.rows.length > 0;
    this.tell(plural(this.body.rows.length, "event"));
  }

  close() {
    this.feed.close();
  }
}

function rowOf(event, around) {
  const row = element("tr", TONES[event.kind] ?? "");
  const time = element("td", "at", timeOfDay(event.time));
  time.title = fullTime(event.time);
  row.append(
    time,
    element("td", "kind", event.kind),
    whoCell(event.path, around),
    element("td", "text", detailsOf(event)),
  );
  return row;
}

function whoCell(path, around) {
  const cell = element("td", "who", relative(path, around) || (around || path ? "" : "conductor"));
  cell.title = path;
  return cell;
}

function detailsOf({ details }) {
  // What a player has told when it got ready is told like the rest.
  const all = { ...details, ...details.details };
  delete all.details;
  const told = Object.entries(all).filter(([key, value]) => !KNOWN.includes(key) && isTold(value));
  return told.map(([key, value]) => `${key}: ${rounded(value)}`).join(" · ");
}

const isTold = (value) => value !== null && value !== false && value !== "";
const rounded = (value) => (typeof value === "number" ? String(Math.round(value * 1000) / 1000) : plain(value));
