/** Why a sign-in came to nothing, in plain words, and what to do. */

export interface Refusal {
  readonly title: string;
  readonly words: string;
  /** Whether another account may do better, so that one is to be chosen. */
  readonly asksForAnother: boolean;
}

const KNOWN: Record<string, Refusal> = {
  sign_in_cancelled: {
    title: "You did not sign in",
    words: "The sign-in was cancelled. Nothing has changed.",
    asksForAnother: false,
  },
  sign_in_expired: {
    title: "That sign-in is over",
    words:
      "It took longer than 10 minutes, began in another browser, or was used already. Sign in again.",
    asksForAnother: false,
  },
  email_unverified: {
    title: "Your e-mail address is not confirmed",
    words:
      "The account has an e-mail address that nobody has checked. Confirm it with the provider, or use another account.",
    asksForAnother: true,
  },
  not_a_member: {
    title: "This address may not sign in",
    words:
      "The account's e-mail address is not on the list of this Stemset. Ask whoever runs it to add it, or use another account.",
    asksForAnother: true,
  },
  provider_unavailable: {
    title: "The sign-in does not answer",
    words: "The provider cannot be reached just now. Try again in a minute.",
    asksForAnother: false,
  },
};

const OTHER: Refusal = {
  title: "You could not be signed in",
  words:
    "Something went wrong on the way. Try again; if it stays so, ask whoever runs this Stemset.",
  asksForAnother: false,
};

/** What the service's code for a refused sign-in means; null for none. */
export function refusalOf(search: string): Refusal | null {
  const code = new URLSearchParams(search).get("refused");
  if (code === null) return null;
  return Object.hasOwn(KNOWN, code) ? (KNOWN[code] ?? OTHER) : OTHER;
}
