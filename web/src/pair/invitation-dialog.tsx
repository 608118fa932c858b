/** A code for a phone's camera, for as long as the dialog is open. */

import { useQuery } from "@tanstack/react-query";
import { answered, api } from "../api/client";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { QrCode } from "./qr-code";
import "./pair.css";

// A code ends ten minutes after it was made.
const RENEWED_AFTER_MS = 9 * 60_000;

export default function InvitationDialog({ onClose }: { onClose: () => void }) {
  const { data, error, isFetching, refetch } = useQuery({
    queryKey: ["invitation"],
    queryFn: () => answered(api.POST("/api/pairing/codes")),
    gcTime: 0,
    refetchInterval: RENEWED_AFTER_MS,
  });
  return (
    <Dialog title="Open on a phone" onClose={onClose}>
      <div className="pair-words">
        {error && (
          <p className="notice" data-kind="bad" role="alert">
            {error.message}
          </p>
        )}
        {data && (
          <>
            <QrCode rows={data.qr_rows} label={`QR code that opens ${data.address}`} />
            <p>
              Point the camera of a phone in the same network at the code, open the page, and press
              “Pair this phone”.
            </p>
            <p className="quiet">
              It is good for one phone, until {clock(data.expires_at)}. The phone warns once,
              because this computer made its certificate itself: go on, or install the certificate,
              as its page says.
            </p>
            <p className="address">{data.url}</p>
          </>
        )}
        {!data && !error && <p className="quiet">Making a code…</p>}
      </div>
      <div className="dialog-actions">
        <Button
          label="New code"
          icon="retry"
          disabled={isFetching}
          onClick={() => void refetch()}
        />
        <Button label="Close" onClick={onClose} />
      </div>
    </Dialog>
  );
}

function clock(moment: string): string {
  return new Date(moment).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}
