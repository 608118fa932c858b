/** How a phone comes to trust this service without a warning. */

export function CertificateHelp() {
  return (
    <details className="certificate-help">
      <summary>Stop the warning</summary>
      <p>
        The computer that runs Stemset made its certificate itself, so the browser warns. Install
        the certificate, and it is trusted from then on:{" "}
        <a href="/api/pairing/authority.crt" download="stemset.crt">
          stemset.crt
        </a>
        . It can vouch for no site that has a name of the internet.
      </p>
      <ul>
        <li>
          iPhone, iPad: allow the download. Settings → General → VPN &amp; Device Management:
          install it. Then Settings → General → About → Certificate Trust Settings: switch it on.
        </li>
        <li>
          Android: Settings → Security → Encryption &amp; credentials → Install a certificate → CA
          certificate: choose the file. The names differ somewhat from phone to phone.
        </li>
      </ul>
    </details>
  );
}
