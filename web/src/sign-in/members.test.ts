import { expect, test } from "vitest";
import type { Member } from "../api/client";
import { emailProblem, signInWords } from "./members";
import { roleWords } from "./session";

const ANNA: Member = {
  id: "m_1",
  email: "anna@example.org",
  role: "admin",
  profiles: null,
  from_config: true,
  name: "Anna",
  added_at: "2026-11-01T12:00:00Z",
  signed_in_at: null,
  sessions: 0,
};

test.each([
  ["", "Type the address"],
  ["anna", "no e-mail address"],
  ["anna@", "no e-mail address"],
  ["an na@example.org", "no e-mail address"],
  [" Anna@Example.org ", "on the list already"],
])("the address %j is refused in words", (typed, words) => {
  expect(emailProblem(typed, [ANNA])).toContain(words);
});

test("an address that is new is taken, blanks around it or not", () => {
  expect(emailProblem(" ben@example.org", [ANNA])).toBeNull();
});

test("members say when they signed in last, and with how many devices they are", () => {
  expect(signInWords(ANNA)).toBe("Has never signed in");
  const later = { ...ANNA, signed_in_at: "2026-11-20T12:00:00Z" };
  expect(signInWords(later)).toMatch(/^Signed in last on .*2026.*, is signed out$/);
  expect(signInWords({ ...later, sessions: 1 })).toMatch(/now on 1 device$/);
  expect(signInWords({ ...later, sessions: 2 })).toMatch(/now on 2 devices$/);
});

test("a role says what it is limited to", () => {
  expect(roleWords(ANNA)).toBe("Admin");
  expect(roleWords({ role: "member", profiles: null })).toBe("Member");
  expect(roleWords({ role: "member", profiles: ["band", "lossless"] })).toBe(
    "Member, for band, lossless",
  );
});
