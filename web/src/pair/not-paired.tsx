import "./pair.css";

export function NotPaired() {
  return (
    <section className="card pair">
      <h1>This phone is not paired</h1>
      <p>It never was, or it was unpaired, or its 90 days are over.</p>
      <p>
        On the computer that runs Stemset, open its page, press “Phone”, and point this phone's
        camera at the code.
      </p>
    </section>
  );
}
