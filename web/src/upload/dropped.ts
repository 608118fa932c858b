/** Files out of what was dropped, pasted or chosen, folders and all that is in them included. */

import { isHidden, looksLikeAudio } from "./checks";

export interface Gathered {
  readonly files: readonly File[];
  /** Names of what lay in a folder and is no recording; what systems hide is not worth a word. */
  readonly leftOut: readonly string[];
}

/** What was chosen in two goes. */
export function together(first: Gathered, second: Gathered): Gathered {
  return {
    files: [...first.files, ...second.files],
    leftOut: [...first.leftOut, ...second.leftOut],
  };
}

interface Found {
  readonly file: File;
  readonly path: string;
  readonly isInFolder: boolean;
}

/** What was dropped. Call it within the event: the browser forgets the items after it. */
export async function gatherDropped(dropped: DataTransfer): Promise<Gathered> {
  const entries: FileSystemEntry[] = [];
  const plain: Found[] = [];
  for (const item of dropped.items) {
    if (item.kind !== "file") continue;
    const entry = item.webkitGetAsEntry?.();
    if (entry) entries.push(entry);
    else plain.push(...single(item.getAsFile()));
  }
  const found = await Promise.all(entries.map((entry) => walk(entry, false)));
  return sorted([...plain, ...found.flat()]);
}

/** What an `<input type=file>` gave, of a folder or of single files, or what was pasted. */
export function gatherChosen(files: Iterable<File>): Gathered {
  return sorted(
    [...files].map((file) => ({
      file,
      path: file.webkitRelativePath || file.name,
      isInFolder: Boolean(file.webkitRelativePath),
    })),
  );
}

function single(file: File | null): Found[] {
  return file ? [{ file, path: file.name, isInFolder: false }] : [];
}

async function walk(entry: FileSystemEntry, isInFolder: boolean): Promise<Found[]> {
  if (isInFolder && isHidden(entry.name)) return [];
  if (isFile(entry)) {
    const file = await new Promise<File>((resolve, reject) => entry.file(resolve, reject));
    return [{ file, path: entry.fullPath, isInFolder }];
  }
  if (!isFolder(entry)) return [];
  const found: Found[] = [];
  for (const child of await childrenOf(entry)) found.push(...(await walk(child, true)));
  return found;
}

/** A reader gives at most 100 entries at a time (Chromium), and none at the end. */
async function childrenOf(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const children: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (some.length === 0) return children;
    children.push(...some);
  }
}

/** In the order of their names; what was chosen by itself is kept whatever it looks like. */
function sorted(found: readonly Found[]): Gathered {
  const shown = found.filter(({ path, isInFolder }) => !isInFolder || !hasHiddenPart(path));
  const isKept = ({ file, isInFolder }: Found) => !isInFolder || looksLikeAudio(file);
  const byPath = (a: Found, b: Found) => a.path.localeCompare(b.path, "en", { numeric: true });
  return {
    files: shown
      .filter(isKept)
      .sort(byPath)
      .map(({ file }) => file),
    leftOut: shown.filter((each) => !isKept(each)).map(({ file }) => file.name),
  };
}

function hasHiddenPart(path: string): boolean {
  return path.split("/").some(isHidden);
}

function isFile(entry: FileSystemEntry): entry is FileSystemFileEntry {
  return entry.isFile;
}

function isFolder(entry: FileSystemEntry): entry is FileSystemDirectoryEntry {
  return entry.isDirectory;
}
