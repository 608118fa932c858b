import { expect, test } from "vitest";
import { gatherChosen, gatherDropped } from "./dropped";

const file = (name: string, path = "") => {
  const made = new File(["x"], name);
  Object.defineProperty(made, "webkitRelativePath", { value: path });
  return made;
};

/** Entries as Chromium gives them: a folder's in portions of at most 100. */
function fileEntry(path: string): FileSystemEntry {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const entry = { isFile: true, isDirectory: false, name, fullPath: path };
  return Object.assign(entry, {
    file: (found: (file: File) => void) => found(file(name)),
  }) as unknown as FileSystemEntry;
}

function folderEntry(path: string, children: FileSystemEntry[]): FileSystemEntry {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const entry = { isFile: false, isDirectory: true, name, fullPath: path };
  const createReader = () => {
    const left = [...children];
    return {
      readEntries: (found: (some: FileSystemEntry[]) => void) => found(left.splice(0, 100)),
    };
  };
  return Object.assign(entry, { createReader }) as unknown as FileSystemEntry;
}

function dropOf(...entries: FileSystemEntry[]): DataTransfer {
  const items = entries.map((entry) => ({ kind: "file", webkitGetAsEntry: () => entry }));
  return { items } as unknown as DataTransfer;
}

const namesOf = (files: readonly File[]) => files.map(({ name }) => name);

test("finds all files of nested folders, however many one holds", async () => {
  const many = Array.from({ length: 250 }, (_, i) => fileEntry(`/card/a/take ${i}.wav`));
  const { files, leftOut } = await gatherDropped(
    dropOf(folderEntry("/card", [folderEntry("/card/a", many), fileEntry("/card/last.flac")])),
  );
  expect(files).toHaveLength(251);
  expect(leftOut).toEqual([]);
});

test("brings files into the order of their numbers", async () => {
  const takes = [10, 9, 1].map((n) => fileEntry(`/card/take ${n}.wav`));
  const { files } = await gatherDropped(dropOf(folderEntry("/card", takes)));
  expect(namesOf(files)).toEqual(["take 1.wav", "take 9.wav", "take 10.wav"]);
});

test("leaves out of a folder what is hidden, and names what is no recording", async () => {
  const inside = ["/card/.DS_Store", "/card/notes.txt", "/card/take.wav", "/card/__MACOSX"];
  const { files, leftOut } = await gatherDropped(
    dropOf(folderEntry("/card", inside.map(fileEntry))),
  );
  expect(namesOf(files)).toEqual(["take.wav"]);
  expect(leftOut).toEqual(["notes.txt"]);
});

test("keeps what was dropped by itself, whatever it looks like", async () => {
  const { files, leftOut } = await gatherDropped(dropOf(fileEntry("/take")));
  expect(namesOf(files)).toEqual(["take"]);
  expect(leftOut).toEqual([]);
});

test("judges a folder that was chosen as one that was dropped", () => {
  const chosen = [
    file("take.wav", "card/take.wav"),
    file("cover.jpg", "card/cover.jpg"),
    file("old.wav", "card/.Trashes/old.wav"),
  ];
  const { files, leftOut } = gatherChosen(chosen);
  expect(namesOf(files)).toEqual(["take.wav"]);
  expect(leftOut).toEqual(["cover.jpg"]);
});
