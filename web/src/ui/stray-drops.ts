/** Files that are dropped where nothing takes them: browsers would open them in place of the page. */

/** Keep the page; whatever takes files says so after this, or has said so before. */
export function refuseStrayDrops(): void {
  for (const kind of ["dragenter", "dragover", "drop"] as const) addEventListener(kind, refuse);
}

function refuse(event: DragEvent): void {
  if (event.defaultPrevented || !holdsFiles(event)) return;
  event.preventDefault();
  if (event.dataTransfer) event.dataTransfer.dropEffect = "none";
}

/** Whether what is dragged is files, and not words or a link. */
export function holdsFiles(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes("Files") ?? false;
}
