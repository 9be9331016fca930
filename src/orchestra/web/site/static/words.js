// Numbers as people say them.

const UNITS = [["d", 86400], ["h", 3600], ["m", 60], ["s", 1]];

/** Seconds as their two largest units: "2 h 14 m", "8 s". */
export function duration(seconds) {
  let left = Math.max(0, Math.floor(seconds));
  const parts = [];
  for (const [unit, size] of UNITS) {
    const amount = Math.floor(left / size);
    left -= amount * size;
    if (amount || (parts.length && unit !== "s") || (!parts.length && unit === "s")) {
      parts.push(`${amount} ${unit}`);
    }
  }
  return parts.slice(0, 2).join(" ");
}

/** What is left of a wait; it does not say 0 before it is over. */
export const countdown = (seconds) => duration(Math.ceil(seconds));

export function bytes(count) {
  if (count < 1e6) return `${Math.round(count / 1e3)} kB`;
  return count < 1e9 ? `${Math.round(count / 1e6)} MB` : `${(count / 1e9).toFixed(1)} GB`;
}

export const percent = (fraction) => `${Math.round(fraction * 100)}%`;

const two = (number) => String(number).padStart(2, "0");

/** The time of day, here, of seconds since 1970: "14:02:11.204". */
export function timeOfDay(seconds) {
  const date = new Date(seconds * 1000);
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
  return `${clock}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

export const fullTime = (seconds) => new Date(seconds * 1000).toISOString();

export function plural(count, one, many = `${one}s`) {
  return count === 1 ? `1 ${one}` : `${count} ${many}`;
}

/** A value that came as JSON, in one line. */
export function plain(value) {
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return value.map(plain).join(", ");
  return JSON.stringify(value);
}

export function plainPairs(values) {
  return Object.entries(values).map(([key, value]) => `${key}: ${plain(value)}`).join(" · ");
}
