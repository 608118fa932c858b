/** The API's client, typed from its document (`openapi.json`), and its errors. */

import createClient from "openapi-fetch";
import { noteNobody } from "./nobody";
import type { components, paths } from "./schema";

type Schemas = components["schemas"];
export type Job = Schemas["JobView"];
export type JobState = Schemas["State"];
export type Recording = Schemas["RecordingView"];
export type Output = Schemas["OutputView"];
export type OutputSummary = Schemas["OutputSummary"];
export type OutputFile = Schemas["OutputFile"];
export type Profile = Schemas["ProfileAnswer"];
export type Strategy = Schemas["StrategyAnswer"];
export type Model = Schemas["CatalogueModel"];
export type Upload = Schemas["UploadAnswer"];
export type Session = Schemas["SessionAnswer"];
export type SignedIn = Schemas["SignedIn"];
export type Member = Schemas["MemberView"];
export type Role = Schemas["Role"];
export type AuditEntry = Schemas["AuditEntry"];

/** What a call was refused with. */
export class ApiError extends Error {
  /**
   * @param code Why, for programs; `unreachable` if the service did not answer at all.
   * @param detail Why, for people.
   * @param retryable Whether the same call may succeed later.
   * @param status The HTTP status, 0 without an answer.
   * @param retryAfterS Seconds that the service asks for before the next try.
   * @param requestId What the service's log has of the call.
   */
  constructor(
    readonly code: string,
    readonly detail: string,
    readonly retryable: boolean,
    readonly status: number,
    readonly retryAfterS: number | null = null,
    readonly requestId: string | null = null,
  ) {
    super(detail);
    this.name = "ApiError";
  }
}

/** Calls by path and method: `answered(api.GET("/api/jobs", { params }))`. */
export const api = createClient<paths>({ baseUrl: "/" });

/** A call with this is made even if the page is left: what it does is shown as done already. */
export const outlivesPage = { keepalive: true };

/** Headers that give a call an id of the page's own; those of one file's way have the same. */
export function named(trace: string | undefined): Record<string, string> {
  return trace ? { "x-request-id": trace } : {};
}

interface Answer<Data> {
  data?: Data;
  error?: unknown;
  response: Response;
}

/** What a call gives. Throws `ApiError`. */
export async function answered<Data>(call: Promise<Answer<Data>>): Promise<Data> {
  let answer: Answer<Data>;
  try {
    answer = await call;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError("unreachable", "The service does not answer.", true, 0);
  }
  if (!answer.response.ok) throw errorOf(answer.response, answer.error);
  return answer.data as Data;
}

/** The error in an answer; a proxy's page in its place is told by its status alone. */
export function errorOf(response: Response, body: unknown): ApiError {
  const wait = Number(response.headers.get("retry-after"));
  const retryAfterS = wait > 0 ? wait : null;
  const told = isErrorBody(body) ? body.error : null;
  if (told?.code === "unauthenticated") noteNobody();
  return new ApiError(
    told?.code ?? "unknown",
    told?.detail ?? `The service answered with status ${response.status}.`,
    told?.retryable ?? response.status >= 500,
    response.status,
    retryAfterS,
    told?.request_id ?? null,
  );
}

function isErrorBody(body: unknown): body is Schemas["ErrorBody"] {
  return typeof body === "object" && body !== null && "error" in body;
}
