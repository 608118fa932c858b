import { cleanup, render, screen } from "@testing-library/react";
import { afterEach, expect, test } from "vitest";
import { outline, QrCode } from "./qr-code";

afterEach(cleanup);

test("each run of dark modules becomes one rectangle in its place", () => {
  expect(outline(["110", "000", "101"])).toBe("M0 0h2v1h-2zM0 2h1v1h-1zM2 2h1v1h-1z");
});

test("a code has a name and the margin that cameras need", () => {
  render(<QrCode rows={["1"]} label="QR code that opens https://192.168.1.5" />);
  const code = screen.getByRole("img", { name: "QR code that opens https://192.168.1.5" });
  expect(code.getAttribute("viewBox")).toBe("-4 -4 9 9");
});
