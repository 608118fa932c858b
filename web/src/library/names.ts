/** Which names a recording can have; the service has the same rules. */

const MAX_CHARACTERS = 200;
const UNPRINTABLE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u;

/** Why a recording cannot have a name, null if it can. */
export function nameProblem(name: string): string | null {
  const plain = name.normalize("NFC").trim();
  const count = [...plain].length;
  if (count === 0) return "A recording needs a name.";
  if (count > MAX_CHARACTERS) {
    return `A name has at most ${MAX_CHARACTERS} characters; this one has ${count}.`;
  }
  if (UNPRINTABLE.test(plain)) return "A name cannot hold line breaks or control characters.";
  return null;
}
