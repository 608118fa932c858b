/** What a phone opens when it has read the code: one press pairs it. */

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useLocation } from "wouter";
import { ApiError, answered, api } from "../api/client";
import { Button } from "../ui/button";
import { toast } from "../ui/toasts";
import { CertificateHelp } from "./certificate-help";
import { NotPaired } from "./not-paired";
import { askAgain, usePairing } from "./pairing";
import "./pair.css";

export default function PairPage() {
  // Behind `#`, so no server and no log has seen it.
  const [code] = useState(() => location.hash.slice(1));
  const { data } = usePairing();
  if (code) return <PairThisPhone code={code} />;
  if (!data?.caller) return <NotPaired />;
  return (
    <section className="card pair">
      <h1>This phone is paired</h1>
      <p>
        <Link href="/">To the recordings</Link>
      </p>
    </section>
  );
}

function PairThisPhone({ code }: { code: string }) {
  const client = useQueryClient();
  const [, navigate] = useLocation();
  const pairing = useMutation({
    mutationFn: () => answered(api.POST("/api/pairing", { body: { code } })),
    onSuccess: async () => {
      await askAgain(client);
      navigate("/", { replace: true });
      toast("This phone is paired.");
    },
  });
  const isSpent = pairing.error instanceof ApiError && pairing.error.code === "pairing_refused";
  return (
    <section className="card pair">
      <h1>Pair this phone</h1>
      <p>
        For 90 days it can then upload, listen and delete here. “Phone” at the top of the page
        unpairs it.
      </p>
      {pairing.error && (
        <p className="notice" data-kind="bad" role="alert">
          {pairing.error.message}
        </p>
      )}
      {!isSpent && (
        <Button
          kind="main"
          icon="phone"
          label="Pair this phone"
          disabled={pairing.isPending || pairing.isSuccess}
          onClick={() => pairing.mutate()}
        />
      )}
      <CertificateHelp />
    </section>
  );
}
