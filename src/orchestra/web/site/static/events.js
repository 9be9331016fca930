// What has happened to a player, and to all below it; the newest first.

import { element } from "./dom.js";
import { Feed } from "./feed.js";
import { fullTime, plain, plural, timeOfDay } from "./words.js";

const MOST = 1_000;
const TONES = { Failed: "bad", CutOff: "bad", Abandoned: "bad", BackingOff: "warn", Ready: "good" };
const KNOWN = ["path", "time"];

export class EventsView {
  constructor({ path, node, tell }) {
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
    this.body.prepend(...events.map(rowOf).reverse());
    while (this.body.rows.length > MOST) this.body.lastElementChild.remove();
    this.none.hidden = this.body.rows.length > 0;
    this.tell(plural(this.body.rows.length, "event"));
  }

  sleep() {
    this.feed.sleep();
  }

  wake() {
    this.feed.wake();
  }

  retry() {
    this.feed.retry();
  }

  close() {
    this.feed.close();
  }
}

function rowOf(event) {
  const row = element("tr", TONES[event.kind] ?? "");
  const time = element("td", "at", timeOfDay(event.time));
  time.title = fullTime(event.time);
  row.append(
    time,
    element("td", "who", event.path || "all"),
    element("td", "kind", event.kind),
    element("td", "text", detailsOf(event)),
  );
  return row;
}

function detailsOf({ details }) {
  const told = Object.entries(details).filter(([key, value]) => !KNOWN.includes(key) && isTold(value));
  return told.map(([key, value]) => `${key}: ${rounded(value)}`).join(" · ");
}

const isTold = (value) => value !== null && value !== false && value !== "" && plain(value) !== "{}";
const rounded = (value) => (typeof value === "number" ? String(Math.round(value * 1000) / 1000) : plain(value));
