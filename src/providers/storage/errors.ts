import { defineErrors } from "../../lib/errors.ts";

export const storageErrors = defineErrors({
  AccountNameInvalid: { status: 400 },
  StorageAccountAlreadyTaken: { status: 409 },
  ContainerNotFound: { status: 404 },
  FeatureNotSupportedForAccount: { status: 400 },
  InvalidValuesForRequestParameters: { status: 400 },
});
