// The diagnostic settings that stand on a resource or subscription.

import { listResources, type Reader } from "../../arm/resources/resource-store.ts";
import type { Resource } from "../../arm/resources/resource.ts";

export const diagnosticSettingType = "Microsoft.Insights/diagnosticSettings";

export interface DiagnosticSetting {
  readonly workspaceId?: string | null | undefined;
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

export function wantsCategory({ logs }: DiagnosticSetting, wanted: string): boolean {
  return (logs ?? []).some(
    ({ category, categoryGroup, enabled }) =>
      enabled && (category === wanted || categoryGroup?.toLowerCase() === "alllogs"),
  );
}
