import { expect, test } from "vitest";
import { refusalOf } from "./refusals";

test.each([
  "sign_in_cancelled",
  "sign_in_expired",
  "email_unverified",
  "not_a_member",
  "provider_unavailable",
])("%s has words of its own", (code) => {
  expect(refusalOf(`?refused=${code}`)).not.toEqual(refusalOf("?refused=sign_in_failed"));
});

test.each(["sign_in_failed", "", "constructor", "<b>"])("%j has the words for all else", (code) => {
  expect(refusalOf(`?refused=${encodeURIComponent(code)}`)?.title).toBe(
    "You could not be signed in",
  );
});

test("a sign-in that was not refused has none", () => {
  expect(refusalOf("?done")).toBeNull();
});

test("another account is offered where it may do better", () => {
  const asks = (code: string) => refusalOf(`?refused=${code}`)?.asksForAnother;
  expect(["not_a_member", "email_unverified", "sign_in_expired"].map(asks)).toEqual([
    true,
    true,
    false,
  ]);
});
