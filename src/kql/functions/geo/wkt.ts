// Well-known text to GeoJSON.

import type { Dynamic } from "../../values/dynamic.ts";
import { text, type RuntimeFunction } from "../value.ts";

const names: Readonly<Record<string, string>> = {
  POINT: "Point",
  LINESTRING: "LineString",
  POLYGON: "Polygon",
  MULTIPOINT: "MultiPoint",
  MULTILINESTRING: "MultiLineString",
  MULTIPOLYGON: "MultiPolygon",
  GEOMETRYCOLLECTION: "GeometryCollection",
};

class NotWkt extends Error {}

/** Nested lists of positions: `(1 2, 3 4)`. */
type Nested = number[] | Nested[];

class Reader {
  readonly #tokens: string[];
  #at = 0;

  constructor(source: string) {
    this.#tokens = source.match(/[A-Za-z]+|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[(),]|\S/g) ?? [];
  }

  document(): Dynamic {
    const found = this.#geometry();
    if (this.#at !== this.#tokens.length) throw new NotWkt();
    return found;
  }

  #geometry(): Dynamic {
    const type = names[(this.#tokens[this.#at] ?? "").toUpperCase()];
    this.#at += 1;
    if (type === undefined) throw new NotWkt();
    if (type === "GeometryCollection") {
      const geometries = this.#list(() => this.#geometry());
      return new Map<string, Dynamic>([
        ["type", type],
        ["geometries", geometries],
      ]);
    }
    const coordinates = type === "Point" ? this.#list(() => this.#position())[0] : this.#nested();
    return new Map<string, Dynamic>([
      ["type", type],
      ["coordinates", (coordinates ?? []) as Dynamic],
    ]);
  }

  #nested(): Nested {
    return this.#list(() => (this.#tokens[this.#at] === "(" ? this.#nested() : this.#position())) as Nested[];
  }

  #position(): number[] {
    const found: number[] = [];
    while (/^[-+.\d]/.test(this.#tokens[this.#at] ?? "")) {
      found.push(Number(this.#tokens[this.#at]));
      this.#at += 1;
    }
    if (found.length < 2 || found.length > 4 || found.some(Number.isNaN)) throw new NotWkt();
    return found.slice(0, 2);
  }

  #list<T>(read: () => T): T[] {
    if (this.#tokens[this.#at] !== "(") throw new NotWkt();
    const found: T[] = [];
    do {
      this.#at += 1;
      found.push(read());
    } while (this.#tokens[this.#at] === ",");
    if (this.#tokens[this.#at] !== ")") throw new NotWkt();
    this.#at += 1;
    return found;
  }
}

export const geoTexts: Readonly<Record<string, RuntimeFunction>> = {
  geo_from_wkt: ([source]) => {
    try {
      return new Reader(text(source)).document();
    } catch (error) {
      if (error instanceof NotWkt) return null;
      throw error;
    }
  },
};
