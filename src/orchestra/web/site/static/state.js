// What each state is to the eye: a sign and a word, and a colour besides.

import { countdown, duration } from "./words.js";

const LOOKS = {
  ready: ["●", "good"],
  degraded: ["▲", "warn"],
  "backing off": ["✕", "bad"],
  failed: ["✕", "bad"],
  abandoned: ["✕", "bad"],
  "cut off": ["✕", "bad"],
  waiting: ["○", "calm"],
  starting: ["◔", "calm"],
  stopping: ["◑", "calm"],
  stopped: ["□", "calm"],
  skipped: ["–", "calm"],
  draining: ["◑", "calm"],
};

// In the order in which they are counted at the top; "up" is always there.
const COUNTED = [
  "up", "starting", "waiting", "draining", "stopping", "stopped", "skipped",
  "backing off", "cut off", "failed", "abandoned",
];

/** The state as it is shown: one that is ready while its tree is not is about to be stopped. */
export function wordOf(row) {
  const playing = row.state === "ready" || row.state === "degraded";
  return playing && !row.ready ? "draining" : row.state;
}

// Those that are told with a time.
const TIMED = ["backing off", "starting", "stopping", "cut off"];

const look = (word) => LOOKS[word] ?? ["?", "calm"];
export const signOf = (word) => look(word)[0];
export const toneOf = (word) => look(word)[1];
export const isFailing = (row) => toneOf(row.state) === "bad";
export const isUp = (row) => row.ready;

/** The state with what there is to say about it at this moment. */
export function inWords(row, now) {
  const word = wordOf(row);
  if (word === "backing off" && row.nextAt !== null) return `${word}, ${countdown(row.nextAt - now)}`;
  if (word === "waiting" && row.waits_for?.length) return `waits for ${siblings(row)}`;
  if (TIMED.includes(word)) return `${word}, ${duration(now - row.since)}`;
  return word;
}

/** How many letters it takes to say how this is, now and in some seconds. */
export function lettersFor(row, now) {
  const word = wordOf(row);
  const soon = TIMED.includes(word) ? word.length + ", 59 s".length : 0;
  return Math.max(soon, inWords(row, now).length);
}

function siblings(row) {
  const group = row.parent ? `${row.parent}.` : "";
  const inGroup = (path) => (path.startsWith(group) ? path.slice(group.length) : path);
  return row.waits_for.map(inGroup).join(", ");
}

/** What can be done with a player: a command and its label each.
 *
 * Of one that `shows` this page, all but a stop: there would be nobody left here to start it again.
 */
export function commandsFor(row, shows = false) {
  const all = possible(row);
  return shows ? all.filter(([name]) => name !== "stop") : all;
}

function possible(row) {
  switch (row.state) {
    case "ready":
    case "degraded":
    case "starting":
      return [["restart", "Restart"], ["stop", "Stop"]];
    case "backing off":
      return [["restart", "Retry now"], ["stop", "Stop"]];
    case "waiting":
      return [["stop", "Stop"]];
    case "stopped":
    case "failed":
    case "abandoned":
      return [["start", "Start"]];
    default:
      return [];
  }
}

/** How many there are of each state that somebody is in: `[word, count, tone]` each.
 *
 * Groups count by what they hold, and by themselves only when they themselves have failed.
 */
export function countsOf(tree) {
  const counts = new Map([["up", 0]]);
  for (const row of tree.rows.values()) {
    if (tree.isGroup(row) && !isFailing(row)) continue;
    const word = isUp(row) ? "up" : wordOf(row);
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return COUNTED.filter((word) => counts.has(word)).map((word) => [word, counts.get(word), toneOf(word)]);
}
