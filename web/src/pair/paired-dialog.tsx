/** How this phone is paired, and the end of it. */

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { answered, api } from "../api/client";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { CertificateHelp } from "./certificate-help";
import { askAgain } from "./pairing";
import "./pair.css";

export default function PairedDialog({ name, onClose }: { name: string; onClose: () => void }) {
  const client = useQueryClient();
  const unpairing = useMutation({
    mutationFn: () => answered(api.DELETE("/api/pairing")),
    onSuccess: () => {
      onClose();
      return askAgain(client);
    },
  });
  return (
    <Dialog title="This phone" onClose={onClose}>
      <div className="pair-words">
        <p>It is paired as “{name}”.</p>
        {unpairing.error && (
          <p className="notice" data-kind="bad" role="alert">
            {unpairing.error.message}
          </p>
        )}
        <CertificateHelp />
      </div>
      <div className="dialog-actions">
        <Button
          kind="bad"
          label="Unpair this phone"
          disabled={unpairing.isPending}
          onClick={() => unpairing.mutate()}
        />
        <Button label="Close" onClick={onClose} />
      </div>
    </Dialog>
  );
}
