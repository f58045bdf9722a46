// The credential of a place as the environment of the command has it: the server is not to use its own.

type Environment = Readonly<Record<string, string | undefined>>;

export function placeCredential(place: string, environment: Environment): object | undefined {
  const given = (name: string): string | undefined => (environment[name] === "" ? undefined : environment[name]);
  if (place.startsWith("s3://")) {
    const accessKeyId = given("AWS_ACCESS_KEY_ID");
    const secretAccessKey = given("AWS_SECRET_ACCESS_KEY");
    const sessionToken = given("AWS_SESSION_TOKEN");
    if (accessKeyId === undefined || secretAccessKey === undefined) return undefined;
    return { kind: "s3", accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
  }
  if (!place.startsWith("azblob://")) return undefined;
  const key = given("AZURE_STORAGE_KEY");
  if (key !== undefined) return { kind: "azureKey", key };
  const token = given("AZURE_STORAGE_SAS_TOKEN");
  return token === undefined ? undefined : { kind: "azureSas", token };
}
