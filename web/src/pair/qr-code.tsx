/** A QR code, drawn from its rows; dark on light in every theme, as cameras want it. */

const MARGIN = 4;

export function QrCode({ rows, label }: { rows: readonly string[]; label: string }) {
  const size = rows.length + 2 * MARGIN;
  return (
    <svg className="qr-code" viewBox={`${-MARGIN} ${-MARGIN} ${size} ${size}`} role="img">
      <title>{label}</title>
      <path d={outline(rows)} />
    </svg>
  );
}

/** One rectangle for each run of dark modules. */
export function outline(rows: readonly string[]): string {
  return rows
    .flatMap((row, y) =>
      [...row.matchAll(/1+/g)].map(
        ({ index, 0: run }) => `M${index} ${y}h${run.length}v1h-${run.length}z`,
      ),
    )
    .join("");
}
