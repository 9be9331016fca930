// One line of a log.

import { element } from "./dom.js";
import { fullTime, timeOfDay } from "./words.js";

const TROUBLE = ["Failed", "CutOff", "Abandoned"];

/** The line that an entry of the stream is; null if a log has none for it. */
export function lineOf(entry) {
  if (entry.type === "line") return entry;
  if (entry.text === null) return null; // told by a line that was logged
  const failed = TROUBLE.includes(entry.kind) || (entry.kind === "BackingOff" && entry.details.error);
  return { ...entry, source: "orchestra", level: failed ? "error" : "info" };
}

export class Line {
  /** `around` is the path of the player whose log this is. */
  constructor(line, around) {
    this.path = line.path;
    this.run = line.run ?? 0;
    if (line.type === "gap") {
      this.node = element("div", "line gap", "— some lines are missing here —");
      this.text = this.node.textContent;
    } else {
      this.make(line, around);
    }
    this.lower = this.text.toLowerCase();
  }

  make(line, around) {
    const ours = isOurs(line);
    this.node = element("div", `line ${toneOf(line.level)}${ours ? " ours" : ""}`);
    const time = element("time", "at", timeOfDay(line.time));
    time.title = `${fullTime(line.time)} · ${line.level} · ${line.source}`;
    this.node.append(time, " ");
    const who = relative(line.path, around);
    if (who && !ours) this.node.append(element("span", "who", who), " ");
    this.node.append(...(ours ? marked(line.text) : [textOf(line.text)]));
    this.text = this.node.textContent;
  }

  match(words) {
    const hidden = words !== "" && !this.lower.includes(words);
    if (hidden !== this.node.hidden) this.node.hidden = hidden;
  }
}

/** Whether Orchestra tells of the player; what a command prints comes by way of the same loggers. */
function isOurs({ source, path, text }) {
  const logger = source === "orchestra" || source.startsWith("orchestra.");
  return logger && text.startsWith(`${path || "conductor"}: `);
}

function toneOf(level) {
  if (level === "error" || level === "critical") return "bad";
  if (level === "warning") return "warn";
  return level === "debug" ? "calm" : "";
}

/** What a player is called in what is told of the one around it: nothing, if it is that one itself. */
export function relative(path, around) {
  if (path === around) return "";
  return around && path.startsWith(`${around}.`) ? path.slice(around.length + 1) : path;
}

/** What Orchestra itself says, apart from what the players say. */
function marked(text) {
  const [first, ...rest] = text.split("\n");
  const mark = element("mark", "text", `— orchestra: ${first} —`);
  return rest.length ? [mark, textOf(`\n${rest.join("\n")}`)] : [mark];
}

/** A text, in which the signs below a line of code, as tracebacks have them, are not wrapped. */
function textOf(text) {
  const made = element("span", "text");
  text.split(CARETS).forEach((part, place) => {
    made.append(place % 2 ? element("span", "carets", part) : part);
  });
  return made;
}

// Whole lines: a split gives them at the odd places.
const CARETS = /(?<=\n)([ \t]*[~^]+(?:\n|$))/;
