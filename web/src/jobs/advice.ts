/** Why a job failed and what to do about it, in plain words, for each code that the service has. */

export interface Advice {
  /** What happened. */
  readonly cause: string;
  /** What to do. */
  readonly next: string;
  /** Whether the same again may well succeed. */
  readonly isWorthRetrying: boolean;
}

const AGAIN = "Try again.";
const AGAIN_LATER = "Try again in a few minutes.";
const OTHER_FILE = "Upload another copy of it, exported as WAV or FLAC if you can.";
const UPLOAD = "Upload the recording again.";
const OPERATOR = "Tell whoever runs this service; its log says more.";
const CONFIGURATION = "Whoever runs this service has to correct its configuration, then try again.";
const SEE_LOG = "If it fails again, tell whoever runs this service; its log says more.";

const again = (cause: string, next: string): Advice => ({ cause, next, isWorthRetrying: true });
const stop = (cause: string, next: string): Advice => ({ cause, next, isWorthRetrying: false });

const ADVICE: Readonly<Record<string, Advice>> = {
  // the configuration
  config_not_found: stop("The service's configuration is missing.", CONFIGURATION),
  config_invalid: stop("The service's configuration is wrong.", CONFIGURATION),
  variable_missing: stop("The service's configuration lacks a value.", CONFIGURATION),
  profile_unknown: stop(
    "This profile does not exist any more.",
    "Start a job with another profile.",
  ),
  strategy_unknown: stop(
    "The profile's way of separating does not exist any more.",
    "Start a job with another profile.",
  ),
  strategy_invalid: stop("The profile's way of separating cannot be built.", CONFIGURATION),
  source_folder_missing: stop("A folder of the service is not there.", CONFIGURATION),
  secret_missing: stop("The service has no secret to call its worker with.", CONFIGURATION),
  storage_not_configured: stop(
    "The service has no storage that its worker reaches.",
    CONFIGURATION,
  ),
  address_in_use: stop("A part of the service could not start.", OPERATOR),
  data_folder_in_use: stop("Another service uses the same data folder.", OPERATOR),
  format_unsupported: stop(
    "The profile's output format cannot hold this recording.",
    "Choose a profile with another format, WAV or FLAC for example.",
  ),

  // the recording
  input_not_found: stop("The recording's file is not there any more.", UPLOAD),
  input_unreadable: stop("The recording's file cannot be read.", UPLOAD),
  input_empty: stop("The recording holds no sound at all.", "Upload another one."),
  input_changed: stop("The recording's file is gone, or is not what was uploaded.", UPLOAD),
  audio_unsupported: stop("The file is in no audio format that Stemset reads.", OTHER_FILE),
  audio_no_track: stop("The file holds no sound that can be read.", OTHER_FILE),
  audio_corrupt: stop("The recording is damaged and cannot be read to its end.", OTHER_FILE),
  audio_truncated: stop("The recording ends before it should: a part is missing.", OTHER_FILE),
  audio_channels: stop(
    "The recording has no channels, or more than Stemset handles.",
    "Upload it as mono, stereo, or with at most 8 channels.",
  ),
  audio_rate: stop(
    "The recording's sample rate is outside what Stemset handles.",
    "Upload it with 44.1 or 48 kHz.",
  ),
  audio_too_long: stop(
    "The recording is longer than this service takes.",
    "Cut it into shorter files and upload these.",
  ),
  audio_not_finite: stop("The recording holds values that are no sound.", OTHER_FILE),
  decoder_failed: stop("Reading the recording failed: it may be damaged.", OTHER_FILE),
  decoder_crashed: again(
    "Reading the recording broke off again and again: it may be damaged.",
    OTHER_FILE,
  ),

  // the model
  model_unknown: stop("The profile's model is none that this version knows.", CONFIGURATION),
  model_missing: stop(
    "The profile's model is not installed.",
    "Whoever runs this service has to install it, then try again.",
  ),
  model_download: again("The model could not be downloaded.", AGAIN_LATER),
  model_corrupt: stop(
    "The model's files are not what they should be.",
    "Whoever runs this service has to install the model again, then try again.",
  ),
  licence_refused: stop(
    "The model's licence is not among those that this service allows.",
    "Start a job with another profile.",
  ),
  dependency_missing: stop("The service lacks a package that the model needs.", OPERATOR),

  // the computation and its result
  network_failed: again(
    "The separation failed, for want of memory for example.",
    `${AGAIN} ${SEE_LOG}`,
  ),
  no_space: again("There is no space left on the disk.", "Make room, then try again."),
  output_unwritable: stop("The stems could not be written.", OPERATOR),
  output_busy: again("The same stems are being made by another process.", AGAIN_LATER),
  output_exists: stop(
    "Stems that were made with other settings stand in the way.",
    "Delete them in the library, then try again.",
  ),
  output_not_found: again("The stems were not where they should be.", AGAIN),
  output_invalid: again("The stems are not what they should be.", AGAIN),

  // the storage
  storage_unavailable: again("The storage did not answer.", AGAIN_LATER),
  storage_refused: stop(
    "The storage refuses the service: a key, a name or the clock is wrong.",
    CONFIGURATION,
  ),
  object_not_found: stop("The recording's file is not in the storage any more.", UPLOAD),
  object_exists: again("Another file stands where the stems were to be stored.", AGAIN),
  object_corrupt: again("A file arrived changed.", AGAIN),
  link_expired: again("It took longer than the access to the storage lasted.", AGAIN),
  key_invalid: stop("A name is none that the storage takes.", OPERATOR),

  // the database
  database_unavailable: again("The service's database did not answer.", AGAIN_LATER),
  database_newer: stop("The database belongs to a newer version of the service.", OPERATOR),
  database_start_failed: stop("The service's database does not start.", OPERATOR),
  database_failed: stop("The service's database failed.", OPERATOR),

  // the order and the worker
  order_invalid: stop("The worker does not accept the job.", OPERATOR),
  version_unsupported: stop(
    "The worker is of another version than the service.",
    "Whoever runs this service has to bring both to the same version, then try again.",
  ),
  signature_invalid: stop(
    "The worker does not know the service: their secrets differ.",
    CONFIGURATION,
  ),
  clock_skewed: stop(
    "The clocks of service and worker differ too much.",
    "Whoever runs this service has to set them, then try again.",
  ),
  attempt_used: again("The work was begun several times and never got to its end.", AGAIN),
  cancelled: again("The job was cancelled.", "Try again if you want the stems after all."),
  interrupted: again("The worker was stopped again and again.", AGAIN_LATER),
  deadline_passed: again("The work took longer than it may.", `${AGAIN} ${SEE_LOG}`),
  computing_stalled: again("The work got no further and was ended.", `${AGAIN} ${SEE_LOG}`),
  computing_crashed: again(
    "The work crashed several times, mostly for want of memory.",
    `${AGAIN} ${SEE_LOG}`,
  ),
  remote_unavailable: stop("The profile needs a worker, and the service has none.", CONFIGURATION),
  backend_unreachable: stop("The worker does not reach the service.", CONFIGURATION),
  cap_reached: stop(
    "The profile has spent what it may in a month.",
    "Wait for the next month, or ask whoever runs this service for a higher limit.",
  ),
  worker_unreachable: again("The worker did not wake up.", `${AGAIN_LATER} ${SEE_LOG}`),
  worker_busy: again("The worker was busy with another job all the time.", AGAIN_LATER),
  worker_refused: stop(
    "The worker refuses the service: the secret or the clock is wrong.",
    CONFIGURATION,
  ),
  worker_failed: again("The worker failed in a way that is not known here.", `${AGAIN} ${SEE_LOG}`),
};

const UNKNOWN = again("It failed in a way that this page does not know.", `${AGAIN} ${SEE_LOG}`);

export const KNOWN_CODES: ReadonlySet<string> = new Set(Object.keys(ADVICE));

export function adviceOn(code: string | null): Advice {
  return ADVICE[code ?? ""] ?? UNKNOWN;
}
