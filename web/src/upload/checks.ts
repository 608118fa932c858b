/** What can be said of a file before any of it is sent. */

/** Endings of what the service's decoder knows, and of what phones and recorders make. */
const ENDINGS = new Set(
  (
    "3g2 3gp aac ac3 aif aifc aiff amr ape asf au avi bwf caf dts eac3 flac flv m2ts m4a m4b m4v mka " +
    "mkv mov mp2 mp3 mp4 mpc mpeg mpg mts oga ogg ogv opus rf64 snd spx tak ts tta w64 wav wave " +
    "webm wma wmv wv"
  ).split(" "),
);
const LEFT_BY_SYSTEMS = new Set(["thumbs.db", "desktop.ini", "__macosx", "$recycle.bin"]);

/** What the browser names files that nobody can hear. */
const SILENT_KINDS = /^(text|image|font)\/|^application\/(pdf|json|zip)$/;

/** Why a file cannot be taken; null if it can, as far as can be told. */
export function refusalOf(file: File): string | null {
  if (file.size === 0) {
    return "It is empty: it holds no bytes. Copy it from the recorder again, or choose another file.";
  }
  if (SILENT_KINDS.test(file.type) && !looksLikeAudio(file)) {
    return "It is no audio or video file. Choose the recording itself.";
  }
  return null;
}

/** Whether a file looks like audio or video, by its ending or by what the browser says. */
export function looksLikeAudio(file: File): boolean {
  if (/^(audio|video)\//.test(file.type)) return true;
  const dot = file.name.lastIndexOf(".");
  return dot > 0 && ENDINGS.has(file.name.slice(dot + 1).toLowerCase());
}

/** Whether a file or folder is one that systems hide or make for themselves. */
export function isHidden(name: string): boolean {
  return name.startsWith(".") || LEFT_BY_SYSTEMS.has(name.toLowerCase());
}
