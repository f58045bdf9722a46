// What an exit status of ./holdfast means. Scripts rely on these; a number never changes its meaning.

export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  damaged: 4,
  notRunning: 5,
  busy: 6,
  missingProgram: 69,
  interrupted: 130,
  byErrorCode: {
    UsageInvalid: 2,
    ConfigurationInvalid: 2,
    PointNotFound: 3,
    ServiceNotRunning: 5,
    DataFolderHeld: 6,
    ProgramMissing: 69,
    StoreLocationInvalid: 2,
    ImageFormatWrong: 2,
    BitmapInvalid: 2,
    ItemNameInvalid: 2,
    DiskNameInvalid: 2,
    StoreMissing: 3,
    VaultMissing: 3,
    PointMissing: 3,
    DiskMissing: 3,
    AttachmentMissing: 3,
    ImageMissing: 3,
    KeyFileMissing: 3,
    KeySlotMissing: 3,
    ObjectDamaged: 4,
    ObjectCorrupted: 4,
    BlobMissing: 4,
    HostUnknown: 3,
    BMSUserErrorProtectedItemNotFound: 3,
    ResourceNotFound: 3,
    ResourceGroupNotFound: 3,
    HostPathInvalid: 2,
    InvalidParameter: 2,
    InvalidRequestContent: 2,
    InvalidResourceName: 2,
    LocationNotAvailableForResourceType: 2,
    ImageInUse: 6,
    Interrupted: 130,
  } as Readonly<Record<string, number>>,
} as const;

export const exitCodesHelp = `
Exit codes:
  0   done
  1   failed; one line on standard error says why and what to do
  2   the command line or the configuration is wrong
  3   what was asked for is not there
  4   damage was found (verify, scrub, diff with differences)
  5   no service runs on that data folder
  6   somebody else holds the data folder or the vault
  69  a program or module that this needs is not installed
  130 interrupted (SIGINT, SIGTERM); everything was left in order`;
