"""Every error that Stemset raises on purpose.

```text
StemsetError                    code, retryable
├── ConfigError                 the call or the configuration must be changed
│   ├── ConfigNotFound          config_not_found
│   ├── InvalidConfig           config_invalid
│   ├── MissingVariable         variable_missing
│   ├── UnknownProfile          profile_unknown
│   ├── UnknownStrategy         strategy_unknown
│   ├── InvalidStrategy         strategy_invalid
│   ├── SourceFolderMissing     source_folder_missing
│   ├── SecretMissing           secret_missing
│   ├── StorageNotConfigured    storage_not_configured
│   ├── AddressInUse            address_in_use
│   ├── DataFolderInUse         data_folder_in_use
│   ├── UnsupportedFormat       format_unsupported
│   └── InvalidMix              mix_invalid
├── InputError                  this recording cannot be used
│   ├── InputNotFound           input_not_found
│   ├── InputUnreadable         input_unreadable
│   ├── InputEmpty              input_empty
│   ├── InputChanged            input_changed
│   ├── NotAudio                audio_unsupported
│   ├── NoAudioTrack            audio_no_track
│   ├── CorruptAudio            audio_corrupt
│   ├── TruncatedAudio          audio_truncated
│   ├── UnsupportedChannels     audio_channels
│   ├── UnsupportedRate         audio_rate
│   ├── RecordingTooLong        audio_too_long
│   ├── NonFiniteSamples        audio_not_finite
│   ├── DecoderFailed           decoder_failed
│   └── DecoderCrashed          decoder_crashed     (retryable)
├── ModelError                  a network or its weights
│   ├── UnknownModel            model_unknown
│   ├── ModelNotInstalled       model_missing
│   ├── ModelDownloadFailed     model_download      (retryable)
│   ├── ModelCorrupt            model_corrupt
│   ├── LicenceRefused          licence_refused
│   └── MissingDependency       dependency_missing
├── SeparationError             the computation failed
│   └── NetworkFailed           network_failed      (retryable)
├── OutputError                 the result cannot be written or is not what it should be
│   ├── NoSpace                 no_space            (retryable)
│   ├── OutputUnwritable        output_unwritable
│   ├── OutputBusy              output_busy         (retryable)
│   ├── OutputExists            output_exists
│   ├── OutputNotFound          output_not_found
│   └── OutputInvalid           output_invalid
├── StorageError                the object store
│   ├── StorageUnavailable      storage_unavailable (retryable)
│   ├── StorageRefused          storage_refused
│   ├── ObjectNotFound          object_not_found
│   ├── ObjectExists            object_exists
│   ├── ObjectCorrupt           object_corrupt      (retryable)
│   ├── LinkExpired             link_expired        (retryable)
│   └── InvalidKey              key_invalid
├── DatabaseError               the database, or the server that it lies in
│   ├── DatabaseUnavailable     database_unavailable (retryable)
│   ├── DatabaseNewer           database_newer
│   ├── DatabaseStartFailed     database_start_failed
│   └── DatabaseFailed          database_failed
├── ServiceError                the service refuses a call
│   ├── Unauthenticated         unauthenticated
│   ├── Forbidden               forbidden
│   ├── OriginRefused           origin_refused
│   ├── PairingRefused          pairing_refused
│   ├── SignInCancelled         sign_in_cancelled
│   ├── SignInExpired           sign_in_expired
│   ├── SignInFailed            sign_in_failed
│   ├── EmailUnverified         email_unverified
│   ├── NotAMember              not_a_member
│   ├── ProviderUnavailable     provider_unavailable (retryable)
│   ├── MemberNotFound          member_not_found
│   ├── MemberFromConfig        member_from_config
│   ├── LastAdmin               last_admin
│   ├── JobNotFound             job_not_found
│   ├── RecordingNotFound       recording_not_found
│   ├── TokenNotFound           token_not_found
│   ├── ExportNotFound          export_not_found
│   ├── NotUploaded             not_uploaded
│   ├── OutputNameTaken         output_name_taken
│   ├── QuotaExceeded           quota_exceeded
│   ├── JobOpen                 job_open
│   ├── JobComplete             job_complete
│   ├── InvalidCursor           cursor_invalid
│   ├── UploadNotFound          upload_not_found
│   ├── UploadTooLarge          upload_too_large
│   ├── UploadMismatch          upload_mismatch
│   ├── UploadIncomplete        upload_incomplete
│   ├── UploadComplete          upload_complete
│   ├── UploadStalled           upload_stalled
│   ├── RateLimited             rate_limited        (retryable)
│   └── ServiceBusy             service_busy        (retryable)
├── OrderError                  an order, or the process that carries it out
│   ├── InvalidOrder            order_invalid
│   ├── UnsupportedVersion      version_unsupported
│   ├── SignatureInvalid        signature_invalid
│   ├── ClockSkewed             clock_skewed
│   ├── AttemptUsed             attempt_used        (retryable)
│   ├── Cancelled               cancelled
│   ├── Interrupted             interrupted         (retryable)
│   ├── DeadlinePassed          deadline_passed
│   ├── ComputingStalled        computing_stalled   (retryable)
│   └── ComputingCrashed        computing_crashed   (retryable)
└── RemoteError                 the remote worker
    ├── RemoteUnavailable       remote_unavailable
    ├── WorkerUnreachable       worker_unreachable  (retryable)
    ├── WorkerBusy              worker_busy         (retryable)
    ├── WorkerRefused           worker_refused
    ├── WorkerFailed            worker_failed
    ├── BackendUnreachable      backend_unreachable (retryable)
    └── CapReached              cap_reached
```

A message holds the value and the limit. HTTP statuses and exit codes are given at the edge, by
branch of this tree; a test fails if a leaf has none.
"""

from typing import ClassVar


class StemsetError(Exception):
    """The root: anything that Stemset refuses or fails at, with a stable code.

    Attributes:
        code: A stable identifier for programs; the message is for people.
        retryable: Whether the same call can succeed later with nothing changed.
    """

    code: ClassVar[str]
    retryable: ClassVar[bool] = False


class ConfigError(StemsetError):
    """The call or the configuration must be changed by a person."""


class ConfigNotFound(ConfigError):
    """The configuration file that was named does not exist."""

    code = "config_not_found"


class InvalidConfig(ConfigError):
    """The configuration file does not say what it must."""

    code = "config_invalid"


class MissingVariable(ConfigError):
    """A ``${VARIABLE}`` of the configuration is not set."""

    code = "variable_missing"


class UnknownProfile(ConfigError):
    """No profile has this name."""

    code = "profile_unknown"


class UnknownStrategy(ConfigError):
    """No strategy has this name."""

    code = "strategy_unknown"


class InvalidStrategy(ConfigError):
    """A strategy tree cannot be built as written."""

    code = "strategy_invalid"


class SourceFolderMissing(ConfigError):
    """A profile's source folder is not there, for example a drive that is not mounted."""

    code = "source_folder_missing"


class SecretMissing(ConfigError):
    """Orders that leave this machine must be signed, and there is no secret to sign with."""

    code = "secret_missing"


class StorageNotConfigured(ConfigError):
    """Work needs a bucket, and none is configured."""

    code = "storage_not_configured"


class AddressInUse(ConfigError):
    """The port to listen on is taken by another program."""

    code = "address_in_use"


class DataFolderInUse(ConfigError):
    """Another process owns this data folder; only one at a time may."""

    code = "data_folder_in_use"


class UnsupportedFormat(ConfigError):
    """The output format cannot hold this recording."""

    code = "format_unsupported"


class InvalidMix(ConfigError):
    """The mix cannot be made of these stems."""

    code = "mix_invalid"


class InputError(StemsetError):
    """This recording cannot be used as it is."""


class InputNotFound(InputError):
    """There is no such file."""

    code = "input_not_found"


class InputUnreadable(InputError):
    """The path is no regular file, or may not be read."""

    code = "input_unreadable"


class InputEmpty(InputError):
    """The file holds no bytes, or no samples."""

    code = "input_empty"


class InputChanged(InputError):
    """The file changed or vanished while it was read."""

    code = "input_changed"


class NotAudio(InputError):
    """The file is in no audio format that Stemset reads."""

    code = "audio_unsupported"


class NoAudioTrack(InputError):
    """The file is a media file without an audio track that can be decoded."""

    code = "audio_no_track"


class CorruptAudio(InputError):
    """The audio data cannot be decoded."""

    code = "audio_corrupt"


class TruncatedAudio(InputError):
    """The file ends before its header says it does."""

    code = "audio_truncated"


class UnsupportedChannels(InputError):
    """The recording has no channels, or more than Stemset handles."""

    code = "audio_channels"


class UnsupportedRate(InputError):
    """The sample rate is outside the range that Stemset handles."""

    code = "audio_rate"


class RecordingTooLong(InputError):
    """The recording is longer than the duration limit."""

    code = "audio_too_long"


class NonFiniteSamples(InputError):
    """The recording holds NaN or infinite samples."""

    code = "audio_not_finite"


class DecoderFailed(InputError):
    """The decoder process failed, or ran into one of its limits."""

    code = "decoder_failed"


class DecoderCrashed(InputError):
    """The decoder process was killed, by somebody or by what it decodes."""

    code = "decoder_crashed"
    retryable = True


class ModelError(StemsetError):
    """A network or its weights cannot be used."""


class UnknownModel(ModelError):
    """The catalogue has no model of this name."""

    code = "model_unknown"


class ModelNotInstalled(ModelError):
    """The model's weights are not in the cache."""

    code = "model_missing"


class ModelDownloadFailed(ModelError):
    """The weights could not be fetched."""

    code = "model_download"
    retryable = True


class ModelCorrupt(ModelError):
    """Weights are not the bytes, or not the network, that the catalogue names."""

    code = "model_corrupt"


class LicenceRefused(ModelError):
    """The model's licence is not among the allowed ones."""

    code = "licence_refused"


class MissingDependency(ModelError):
    """A Python package that this needs is not installed."""

    code = "dependency_missing"


class SeparationError(StemsetError):
    """The computation itself failed."""


class NetworkFailed(SeparationError):
    """The network raised an error, ran out of memory or gave non-finite samples."""

    code = "network_failed"
    retryable = True


class OutputError(StemsetError):
    """The result cannot be written, or is not what it should be."""


class NoSpace(OutputError):
    """The disk is full."""

    code = "no_space"
    retryable = True


class OutputUnwritable(OutputError):
    """The output folder cannot be written to."""

    code = "output_unwritable"


class OutputBusy(OutputError):
    """Another process is making this output right now."""

    code = "output_busy"
    retryable = True


class OutputExists(OutputError):
    """An output of this recording stands here that was made with other settings."""

    code = "output_exists"


class OutputNotFound(OutputError):
    """There is no output in this folder."""

    code = "output_not_found"


class OutputInvalid(OutputError):
    """An output does not match its own metadata."""

    code = "output_invalid"


class StorageError(StemsetError):
    """The object store."""


class StorageUnavailable(StorageError):
    """The store does not answer, or answers that it cannot now; retries are used up."""

    code = "storage_unavailable"
    retryable = True


class StorageRefused(StorageError):
    """The store refuses: wrong keys, no permission, no such bucket."""

    code = "storage_refused"


class ObjectNotFound(StorageError):
    """There is no object under this key."""

    code = "object_not_found"


class ObjectExists(StorageError):
    """An object with other content stands where one was to be created."""

    code = "object_exists"


class ObjectCorrupt(StorageError):
    """What was transferred does not have the promised length or SHA-256."""

    code = "object_corrupt"
    retryable = True


class LinkExpired(StorageError):
    """A presigned URL is no longer valid, and no fresh one was given."""

    code = "link_expired"
    retryable = True


class InvalidKey(StorageError):
    """A key or name that Stemset would not have made."""

    code = "key_invalid"


class DatabaseError(StemsetError):
    """The database, or the server that it lies in."""


class DatabaseUnavailable(DatabaseError):
    """The server does not answer now."""

    code = "database_unavailable"
    retryable = True


class DatabaseNewer(DatabaseError):
    """The database was made or changed by a newer version than this one."""

    code = "database_newer"


class DatabaseStartFailed(DatabaseError):
    """The embedded server cannot be made or started as things are."""

    code = "database_start_failed"


class DatabaseFailed(DatabaseError):
    """The server refuses, or answers with an error that is not expected."""

    code = "database_failed"


class ServiceError(StemsetError):
    """The service refuses a call."""


class Unauthenticated(ServiceError):
    """The call carries no valid token, and only the local user needs none."""

    code = "unauthenticated"


class Forbidden(ServiceError):
    """The caller's token does not allow this."""

    code = "forbidden"


class OriginRefused(ServiceError):
    """A page of another origin made the call in a person's browser."""

    code = "origin_refused"


class PairingRefused(ServiceError):
    """A phone cannot be paired so: the code is not good, or this is not the place for it."""

    code = "pairing_refused"


class SignInCancelled(ServiceError):
    """The person did not go through with it at the provider."""

    code = "sign_in_cancelled"


class SignInExpired(ServiceError):
    """The sign-in took too long, began in another browser, or was used already."""

    code = "sign_in_expired"


class SignInFailed(ServiceError):
    """What the provider says cannot be believed, or it refuses the service."""

    code = "sign_in_failed"


class EmailUnverified(ServiceError):
    """The provider does not vouch for the person's e-mail address."""

    code = "email_unverified"


class NotAMember(ServiceError):
    """The person's e-mail address is not on the list of those who may sign in."""

    code = "not_a_member"


class ProviderUnavailable(ServiceError):
    """The provider that people sign in with does not answer."""

    code = "provider_unavailable"
    retryable = True


class MemberNotFound(ServiceError):
    """There is no such member."""

    code = "member_not_found"


class MemberFromConfig(ServiceError):
    """The configuration says that the member is an admin, and only there can that be changed."""

    code = "member_from_config"


class LastAdmin(ServiceError):
    """Without this member there would be no admin."""

    code = "last_admin"


class JobNotFound(ServiceError):
    """There is no such job."""

    code = "job_not_found"


class RecordingNotFound(ServiceError):
    """There is no such recording."""

    code = "recording_not_found"


class TokenNotFound(ServiceError):
    """There is no such token."""

    code = "token_not_found"


class ExportNotFound(ServiceError):
    """There is no such export; a finished one is kept for a day."""

    code = "export_not_found"


class NotUploaded(ServiceError):
    """The caller has uploaded no file of this name."""

    code = "not_uploaded"


class OutputNameTaken(ServiceError):
    """Another recording's output has this name."""

    code = "output_name_taken"


class QuotaExceeded(ServiceError):
    """The profile's recordings and stems take all the room that its quota allows."""

    code = "quota_exceeded"


class JobOpen(ServiceError):
    """The job has not ended, so it cannot be retried."""

    code = "job_open"


class JobComplete(ServiceError):
    """The job is complete, so it can be neither cancelled nor retried."""

    code = "job_complete"


class InvalidCursor(ServiceError):
    """A cursor that no page was answered with."""

    code = "cursor_invalid"


class UploadNotFound(ServiceError):
    """There is no such upload."""

    code = "upload_not_found"


class UploadTooLarge(ServiceError):
    """The file is larger than the limit."""

    code = "upload_too_large"


class UploadMismatch(ServiceError):
    """What arrived does not have the length or the SHA-256 that was announced."""

    code = "upload_mismatch"


class UploadIncomplete(ServiceError):
    """Parts of the upload have not arrived."""

    code = "upload_incomplete"


class UploadComplete(ServiceError):
    """The upload is complete and takes no further part."""

    code = "upload_complete"


class UploadStalled(ServiceError):
    """The client sent nothing, or next to nothing, for too long."""

    code = "upload_stalled"


class RateLimited(ServiceError):
    """The caller's token calls too often.

    Attributes:
        after_s: Seconds until the next call is taken.
    """

    code = "rate_limited"
    retryable = True

    def __init__(self, *words: object, after_s: float = 1.0) -> None:
        """Say how long to wait."""
        super().__init__(*words)
        self.after_s = after_s


class ServiceBusy(ServiceError):
    """The service is at its limit, or about to stop."""

    code = "service_busy"
    retryable = True


class OrderError(StemsetError):
    """An order, or the process that carries it out."""


class InvalidOrder(OrderError):
    """The order does not say what it must, or wants what it may not."""

    code = "order_invalid"


class UnsupportedVersion(OrderError):
    """A message of a newer version, or an order for another engine than this one."""

    code = "version_unsupported"


class SignatureInvalid(OrderError):
    """A message that must be signed is not, or with another secret."""

    code = "signature_invalid"


class ClockSkewed(OrderError):
    """A message's time is too far from this machine's clock."""

    code = "clock_skewed"


class AttemptUsed(OrderError):
    """This attempt was begun before, and is not whole; the next number is free."""

    code = "attempt_used"
    retryable = True


class Cancelled(OrderError):
    """The job was cancelled."""

    code = "cancelled"


class Interrupted(OrderError):
    """The worker was told to stop while it worked."""

    code = "interrupted"
    retryable = True


class DeadlinePassed(OrderError):
    """The order's deadline passed before it was done."""

    code = "deadline_passed"


class ComputingStalled(OrderError):
    """The computing process showed no progress for too long and was ended."""

    code = "computing_stalled"
    retryable = True


class ComputingCrashed(OrderError):
    """The computing process ended without an answer."""

    code = "computing_crashed"
    retryable = True


class RemoteError(StemsetError):
    """The remote worker."""


class RemoteUnavailable(RemoteError):
    """Work should be done remotely, and there is no worker to do it."""

    code = "remote_unavailable"


class WorkerUnreachable(RemoteError):
    """The worker's address does not answer as a worker."""

    code = "worker_unreachable"
    retryable = True


class WorkerBusy(RemoteError):
    """The worker is at another job and stayed so for as long as was waited."""

    code = "worker_busy"
    retryable = True


class WorkerRefused(RemoteError):
    """The worker refuses the call: wrong secret, or a clock that is off."""

    code = "worker_refused"


class WorkerFailed(RemoteError):
    """The worker answered with an error that this version does not know."""

    code = "worker_failed"


class BackendUnreachable(RemoteError):
    """The worker does not reach the service that it is to call back."""

    code = "backend_unreachable"
    retryable = True


class CapReached(RemoteError):
    """The profile has spent what it may in a month."""

    code = "cap_reached"


def error_from(code: str, detail: str) -> StemsetError:
    """The error that a message of another process speaks of.

    Args:
        code: A leaf's code; one that this version does not know gives ``WorkerFailed``.
        detail: The message for people.
    """
    kind = _leaves().get(code)
    return kind(detail) if kind else WorkerFailed(f"{detail} [{code}]")


def codes() -> list[str]:
    """The code of every error, in the tree's order."""
    return list(_leaves())


def _leaves(branch: type[StemsetError] = StemsetError) -> dict[str, type[StemsetError]]:
    """Every leaf below a branch, by its code."""
    leaves: dict[str, type[StemsetError]] = {}
    for each in branch.__subclasses__():
        leaves |= {each.code: each} if "code" in vars(each) else _leaves(each)
    return leaves
