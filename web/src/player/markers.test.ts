import { expect, test } from "vitest";
import { Markers } from "./markers";

test("markers are in order of time and have names of their own", () => {
  const markers = new Markers();
  markers.add(20);
  markers.add(10);
  expect(markers.all).toEqual([
    { atS: 10, name: "Marker 2" },
    { atS: 20, name: "Marker 1" },
  ]);
});

test("two at the same place are one", () => {
  const markers = new Markers();
  markers.add(10);
  markers.add(10.01);
  expect(markers.all).toHaveLength(1);
});

test("renamed and removed", () => {
  const markers = new Markers();
  markers.add(10);
  const [first] = markers.all;
  if (!first) throw new Error("no marker");
  markers.rename(first, "Solo");
  expect(markers.all).toEqual([{ atS: 10, name: "Solo" }]);
  const [renamed] = markers.all;
  if (renamed) markers.remove(renamed);
  expect(markers.all).toEqual([]);
});
