// The only place where random bytes come from. Everything that needs them takes an `entropy(length)` as an argument,
// so that tests give the bytes and headers and bodies have known answers (docs/spec/envelope.md §4, last paragraph).

/** `length` fresh bytes of the browser's generator. */
export function system(length) {
  return crypto.getRandomValues(new Uint8Array(length));
}

/** Entropy that gives prepared draws in order, each of the length that is asked for: for known answers only. */
export function given(draws) {
  let number = 0;
  return (length) => {
    const drawn = draws[number++];
    if (!drawn || drawn.length !== length) throw new Error(`draw ${number} was not prepared with ${length} bytes`);
    return drawn;
  };
}
