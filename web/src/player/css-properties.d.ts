/** Custom properties that this page's style sheets read from an element's style. */

import "react";

declare module "react" {
  interface CSSProperties {
    "--at"?: number;
    "--length"?: number;
    "--fill-from"?: string;
    "--fill-to"?: string;
    "--stem"?: string;
  }
}
