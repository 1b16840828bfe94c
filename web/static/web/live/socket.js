/** The socket of the live map: it comes back by itself, and says how it is. */

const FIRST_WAIT = 1000;
const LONGEST_WAIT = 30_000;
/** Milliseconds without a frame after which what is shown may be old. */
const SILENCE = 6000;
/** The close code that says: no longer staff. */
const NOT_STAFF = 4401;

/**
 * @typedef {{state: "live" | "silent" | "lost" | "out", seconds?: number}} Condition `seconds` until the next try, or
 *   since the last frame
 */

/**
 * Connect, and go on for ever.
 * @param {string} path
 * @param {(frame: object) => void} onFrame draws a frame; only then the server sends the next one
 * @param {(condition: Condition) => void} onCondition
 */
export function connect(path, onFrame, onCondition) {
  let wait = FIRST_WAIT;
  let silence = 0;

  function open() {
    const socket = new WebSocket(path);
    socket.addEventListener("message", ({ data }) => {
      wait = FIRST_WAIT;
      listen();
      onCondition({ state: "live" });
      onFrame(JSON.parse(data));
      requestAnimationFrame(() => socket.readyState === WebSocket.OPEN && socket.send("{}"));
    });
    socket.addEventListener("close", ({ code }) => lost(code));
  }

  function listen() {
    clearTimeout(silence);
    silence = setTimeout(() => onCondition({ state: "silent", seconds: SILENCE / 1000 }), SILENCE);
  }

  async function lost(code) {
    clearTimeout(silence);
    if (code === NOT_STAFF || (await isLoggedOut())) {
      onCondition({ state: "out" });
      return;
    }
    const delay = wait * (0.75 + Math.random() / 2);
    wait = Math.min(2 * wait, LONGEST_WAIT);
    onCondition({ state: "lost", seconds: Math.ceil(delay / 1000) });
    setTimeout(open, delay);
  }

  open();
}

/** A refused handshake does not say why: the page itself tells, by sending one to the login. */
async function isLoggedOut() {
  try {
    const answer = await fetch(location.pathname, { method: "HEAD", redirect: "manual" });
    return answer.type === "opaqueredirect";
  } catch {
    return false;
  }
}
