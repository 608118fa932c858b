import { QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { makeQueryClient } from "./api/queries";
import { App } from "./app";
import { refuseStrayDrops } from "./ui/stray-drops";
import { restoreTheme } from "./ui/theme";
import { reloadAfterUpgrade } from "./ui/upgrade";
import "./ui/theme.css";
import "./app.css";

restoreTheme();
reloadAfterUpgrade();
refuseStrayDrops();
const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={makeQueryClient()}>
        <App />
      </QueryClientProvider>
    </StrictMode>,
  );
}
