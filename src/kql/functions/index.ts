// Functions that are the same for every dialect: written in TypeScript over plain values. A dialect
// calls them for what its own SQL cannot do exactly.

import { collectionFunctions } from "./collections.ts";
import { conversionFunctions } from "./conversion.ts";
import { geoCells } from "./geo/cells.ts";
import { geoConstructions } from "./geo/constructions.ts";
import { geoH3 } from "./geo/h3.ts";
import { geoMeasures } from "./geo/measures.ts";
import { geoTexts } from "./geo/wkt.ts";
import { hashFunctions } from "./hashes.ts";
import { networkFunctions } from "./network.ts";
import { reduceFunctions } from "./reduce.ts";
import { scanFunctions } from "./scan/walk.ts";
import { schemaFunctions } from "./schemas.ts";
import { seriesDecompositions } from "./series-decompose.ts";
import { seriesTransforms } from "./series-transforms.ts";
import { seriesFunctions } from "./series.ts";
import { sketchFunctions } from "./sketches.ts";
import { specialFunctions } from "./special.ts";
import { unitFunctions } from "./units.ts";
import { textEncodings } from "./text-encodings.ts";
import { textFormats } from "./text-formats.ts";
import { textFunctions } from "./texts.ts";
import { timeFunctions } from "./times.ts";
import type { RuntimeFunction } from "./value.ts";
import { xmlFunctions } from "./xml.ts";

export const runtimeFunctions: Readonly<Record<string, RuntimeFunction>> = {
  ...conversionFunctions,
  ...collectionFunctions,
  ...geoCells,
  ...geoConstructions,
  ...geoH3,
  ...geoMeasures,
  ...geoTexts,
  ...hashFunctions,
  ...networkFunctions,
  ...reduceFunctions,
  ...scanFunctions,
  ...schemaFunctions,
  ...seriesFunctions,
  ...seriesDecompositions,
  ...seriesTransforms,
  ...sketchFunctions,
  ...specialFunctions,
  ...unitFunctions,
  ...textEncodings,
  ...textFormats,
  ...textFunctions,
  ...timeFunctions,
  ...xmlFunctions,
};
