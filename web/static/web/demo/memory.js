/** What a phone remembers over a reload: in the session storage, so that each tab has its own people. */

/** Indonesian numbers that nobody of the simulated town has. */
const PREFIX = "+62896";

export class Memory {
  /** @param {string} role */
  constructor(role) {
    this.key = `nebengjek.demo.${role}`;
    this.values = read(this.key);
  }

  /** @param {string} name */
  get(name) {
    return this.values[name];
  }

  /** @param {object} changes */
  set(changes) {
    Object.assign(this.values, changes);
    sessionStorage.setItem(this.key, JSON.stringify(this.values));
  }

  /** Become somebody else: keep nothing but these. @param {...string} names */
  forget(...names) {
    this.values = Object.fromEntries(names.filter((name) => name in this.values).map((name) => [name, this.values[name]]));
    this.set({});
  }
}

/** A number for a person who does not exist yet, so that the limit of codes an hour is in nobody's way. */
export function freshNumber() {
  const [random] = crypto.getRandomValues(new Uint32Array(1));
  return PREFIX + String(random % 10 ** 8).padStart(8, "0");
}

/** @param {string} key @returns {Record<string, any>} */
function read(key) {
  try {
    return JSON.parse(sessionStorage.getItem(key) ?? "{}");
  } catch {
    return {};
  }
}
