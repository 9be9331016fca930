// The keys that work wherever the focus is, and those of the table that are commands.

import { byId } from "./dom.js";
import { commandsFor } from "./state.js";

export function listenToKeys(page) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    if (document.querySelector("dialog[open]")) return;
    if (event.key === "Escape") leave(page);
    else if (isTyping(event.target)) enter(page, event);
    else if (!act(page, event)) return;
    else event.preventDefault();
  });
}

const isTyping = (node) => node.matches("input, textarea");

function leave(page) {
  const typing = isTyping(document.activeElement);
  if (document.activeElement === byId("filter")) page.setFilter("");
  else if (!typing) page.grid.select(null);
  page.grid.node.focus();
}

/** From the filter on to what it has found. */
function enter(page, event) {
  if (event.target !== byId("filter") || !["Enter", "ArrowDown"].includes(event.key)) return;
  page.grid.node.focus();
  page.grid.move(0);
  event.preventDefault();
}

function act(page, event) {
  const { key } = event;
  if (key === "/") byId("filter").focus();
  else if (key === "?") byId("keys").showModal();
  else if (key >= "1" && key <= "4") page.pane.showPlace(Number(key) - 1);
  else if (key === "p") page.pane.view.togglePause?.();
  else return event.target === page.grid.node && command(page, key);
  return true;
}

function command(page, key) {
  const row = page.tree.rows.get(page.grid.selected);
  if (!row) return false;
  const names = commandsFor(row, page.tree.shows(row)).map(([name]) => name);
  const wanted = { r: ["restart", "start"], s: ["stop"] }[key] ?? [];
  const copies = page.tree.isCopies(row) ? { "+": "more", "-": "fewer" }[key] : undefined;
  const name = copies ?? wanted.find((one) => names.includes(one));
  if (name) page.command(name, row);
  return name !== undefined;
}
