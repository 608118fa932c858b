/** “Phone”, at the top of the page: brings a phone here, or shows this phone how it is paired. */

import { lazy, Suspense, useState } from "react";
import { Button } from "../ui/button";
import { usePairing } from "./pairing";

const InvitationDialog = lazy(() => import("./invitation-dialog"));
const PairedDialog = lazy(() => import("./paired-dialog"));

export function PhoneButton() {
  const { data } = usePairing();
  const [isOpen, setOpen] = useState(false);
  const pairedAs = data?.by_phone ? data.caller : null;
  if (!data?.address && pairedAs === null) return null;
  const close = () => setOpen(false);
  return (
    <>
      <Button kind="bare" icon="phone" label="Phone" onClick={() => setOpen(true)} />
      {isOpen && (
        <Suspense>
          {pairedAs === null ? (
            <InvitationDialog onClose={close} />
          ) : (
            <PairedDialog name={pairedAs} onClose={close} />
          )}
        </Suspense>
      )}
    </>
  );
}
