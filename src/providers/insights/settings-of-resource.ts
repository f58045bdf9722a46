// The diagnostic settings that stand on a resource or subscription.

import { idKey } from "../../arm/resource-id.ts";
import { listResources, type Reader } from "../../arm/resources/resource-store.ts";
import { fromRow, type Resource } from "../../arm/resources/resource.ts";

export const diagnosticSettingType = "Microsoft.Insights/diagnosticSettings";

export interface DiagnosticSetting {
  readonly workspaceId?: string | null | undefined;
  readonly storageAccountId?: string | null | undefined;
  readonly logAnalyticsDestinationType?: "Dedicated" | "AzureDiagnostics" | null | undefined;
  readonly logs?: readonly CategorySetting[] | null | undefined;
  readonly metrics?: readonly CategorySetting[] | null | undefined;
}

export interface CategorySetting {
  readonly category?: string | null | undefined;
  readonly categoryGroup?: string | null | undefined;
  readonly enabled: boolean;
}

export function diagnosticSettingsOf(reader: Reader, scope: string): Promise<Resource<DiagnosticSetting>[]> {
  return listResources<DiagnosticSetting>(reader, { type: diagnosticSettingType, parent: scope });
}

/** Those of everything in a subscription or group, or below a resource. */
export async function diagnosticSettingsBelow(reader: Reader, scope: string): Promise<Resource<DiagnosticSetting>[]> {
  const key = idKey(scope);
  const rows = await reader
    .selectFrom("resources")
    .selectAll()
    .where("type_key", "=", diagnosticSettingType.toLowerCase())
    .where("key", ">", `${key}/`)
    .where("key", "<", `${key}0`)
    .execute();
  return rows.map((row) => fromRow<DiagnosticSetting>(row));
}

export function wantsCategory({ logs }: DiagnosticSetting, wanted: string): boolean {
  return (logs ?? []).some(
    ({ category, categoryGroup, enabled }) =>
      enabled && (category === wanted || categoryGroup?.toLowerCase() === "alllogs"),
  );
}
