// Where things are said to be. The site's own name stands first (default `local`); Azure's names are
// accepted too, so that scripts and templates that say `eastus` work. A location is a label here.

import { armErrors } from "./errors.ts";

export interface Location {
  readonly name: string;
  readonly displayName: string;
  readonly pairedWith?: string;
}

/** Azure's public regions; names as `az account list-locations` shows them. */
const azureRegions: readonly (readonly [name: string, displayName: string, pairedWith?: string])[] = [
  ["australiacentral", "Australia Central", "australiacentral2"],
  ["australiacentral2", "Australia Central 2", "australiacentral"],
  ["australiaeast", "Australia East", "australiasoutheast"],
  ["australiasoutheast", "Australia Southeast", "australiaeast"],
  ["brazilsouth", "Brazil South", "southcentralus"],
  ["brazilsoutheast", "Brazil Southeast", "brazilsouth"],
  ["canadacentral", "Canada Central", "canadaeast"],
  ["canadaeast", "Canada East", "canadacentral"],
  ["centralindia", "Central India", "southindia"],
  ["centralus", "Central US", "eastus2"],
  ["eastasia", "East Asia", "southeastasia"],
  ["eastus", "East US", "westus"],
  ["eastus2", "East US 2", "centralus"],
  ["francecentral", "France Central", "francesouth"],
  ["francesouth", "France South", "francecentral"],
  ["germanynorth", "Germany North", "germanywestcentral"],
  ["germanywestcentral", "Germany West Central", "germanynorth"],
  ["israelcentral", "Israel Central"],
  ["italynorth", "Italy North"],
  ["japaneast", "Japan East", "japanwest"],
  ["japanwest", "Japan West", "japaneast"],
  ["koreacentral", "Korea Central", "koreasouth"],
  ["koreasouth", "Korea South", "koreacentral"],
  ["mexicocentral", "Mexico Central"],
  ["newzealandnorth", "New Zealand North"],
  ["northcentralus", "North Central US", "southcentralus"],
  ["northeurope", "North Europe", "westeurope"],
  ["norwayeast", "Norway East", "norwaywest"],
  ["norwaywest", "Norway West", "norwayeast"],
  ["polandcentral", "Poland Central"],
  ["qatarcentral", "Qatar Central"],
  ["southafricanorth", "South Africa North", "southafricawest"],
  ["southafricawest", "South Africa West", "southafricanorth"],
  ["southcentralus", "South Central US", "northcentralus"],
  ["southeastasia", "Southeast Asia", "eastasia"],
  ["southindia", "South India", "centralindia"],
  ["spaincentral", "Spain Central"],
  ["swedencentral", "Sweden Central", "swedensouth"],
  ["swedensouth", "Sweden South", "swedencentral"],
  ["switzerlandnorth", "Switzerland North", "switzerlandwest"],
  ["switzerlandwest", "Switzerland West", "switzerlandnorth"],
  ["uaecentral", "UAE Central", "uaenorth"],
  ["uaenorth", "UAE North", "uaecentral"],
  ["uksouth", "UK South", "ukwest"],
  ["ukwest", "UK West", "uksouth"],
  ["westcentralus", "West Central US", "westus2"],
  ["westeurope", "West Europe", "northeurope"],
  ["westindia", "West India", "southindia"],
  ["westus", "West US", "eastus"],
  ["westus2", "West US 2", "westcentralus"],
  ["westus3", "West US 3", "eastus"],
];

export interface Locations {
  readonly all: readonly Location[];
  /** The short lower-case name of what a client wrote: `East US` -> `eastus`. */
  canonical(location: string): string;
}

export function createLocations(siteName: string): Locations {
  const site: Location = { name: siteName.toLowerCase(), displayName: siteName };
  const azure = azureRegions.map(([name, displayName, pairedWith]): Location => ({ name, displayName, pairedWith }));
  const all = [site, ...azure.filter(({ name }) => name !== site.name)];
  const names = new Set([...all.map(({ name }) => name), "global"]);
  return {
    all,
    canonical: (location) => {
      const name = location.toLowerCase().replaceAll(/\s/g, "");
      if (names.has(name)) return name;
      throw armErrors.LocationNotAvailableForResourceType(
        `The provided location '${location}' is not available. List of available locations is '${all.map((known) => known.name).join(",")}'.`,
        { target: "location" },
      );
    },
  };
}
