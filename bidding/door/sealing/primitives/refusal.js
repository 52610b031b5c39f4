// The one error that says no: a code that reads as a sentence, and the facts of the case.
// The codes are those of crypto/refusal.py and docs/spec/*; pages turn them into words, never these modules.

/** Something was asked that the rules or the protocol do not allow. */
export class Refused extends Error {
  /** @param {string} code lower-case words joined by underscores @param {object} facts plain values for the sentence */
  constructor(code, facts = {}) {
    super(code + (Object.keys(facts).length ? " " + JSON.stringify(facts) : ""));
    this.name = "Refused";
    this.code = code;
    this.facts = facts;
  }
}

/** What must be impossible. A failure is a defect of this program, never of what it read. */
export function assert(right, sentence) {
  if (!right) throw new Error("assertion failed: " + sentence);
}
