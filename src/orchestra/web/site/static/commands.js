// What is sent to the program when a button is pressed.

import { post } from "./api.js";
import { byId } from "./dom.js";
import { notice } from "./notices.js";
import { plural } from "./words.js";

/** Sends the command; `busy(path, yes)` is told of its beginning and its end. */
export async function send(name, row, busy) {
  const [command, body] = requestOf(name, row);
  busy(row.path, true);
  try {
    // What comes of it is seen in the row, and may take its time.
    await post(`players/${encodeURIComponent(row.path)}/${command}`, { ...body, wait: false });
  } catch (error) {
    notice(`${command} ${row.path}: ${error.message}`, "bad");
  } finally {
    busy(row.path, false);
  }
}

function requestOf(name, row) {
  if (name === "more") return ["scale", { count: row.copies + 1 }];
  if (name === "fewer") return ["scale", { count: Math.max(0, row.copies - 1) }];
  return [name, {}];
}

/** Ask first, then stop all. */
export function askToStopAll(program, count) {
  const dialog = byId("ask-stop");
  byId("ask-stop-title").textContent = `Stop all of ${program}?`;
  byId("ask-stop-text").textContent =
    `${plural(count, "player is", "players are")} asked to stop gracefully. Then the program ends, and this page with it.`;
  dialog.returnValue = "";
  dialog.onclose = async () => {
    if (dialog.returnValue !== "stop") return;
    try {
      await post("stop");
      notice("All players are asked to stop.");
    } catch (error) {
      notice(`stop all: ${error.message}`, "bad");
    }
  };
  dialog.showModal();
}
