// The token that this page shows to the program. It comes in the fragment of the address, which no server sees.

const KEY = "orchestra-token";
let token = null;

/** Take the token out of the address, so that it is not copied along with it. True if there was one. */
export function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    history.replaceState(null, "", location.pathname + location.search);
    keep(given);
    return true;
  }
  token ??= kept();
  return false;
}

export const currentToken = () => token;

function keep(given) {
  token = given;
  try {
    sessionStorage.setItem(KEY, given); // for a reload, in this tab only
  } catch {
    // A browser that stores nothing: the token lasts until a reload.
  }
}

function kept() {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}
