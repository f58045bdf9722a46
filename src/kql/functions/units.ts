// convert_…(): a value in one unit becomes a value in another; a unit that is unknown gives null.

import { integer, text, type RuntimeFunction } from "./value.ts";

type Factors = Readonly<Record<string, number>>;

const angle: Factors = {
  Radian: 1,
  Degree: Math.PI / 180,
  Arcminute: Math.PI / 10_800,
  Arcsecond: Math.PI / 648_000,
  Gradian: Math.PI / 200,
  Revolution: 2 * Math.PI,
  Turn: 2 * Math.PI,
  Centiradian: 1e-2,
  Deciradian: 1e-1,
  Milliradian: 1e-3,
  Microradian: 1e-6,
  Nanoradian: 1e-9,
  Microdegree: Math.PI / 180e6,
  Millidegree: Math.PI / 180e3,
  Nanodegree: Math.PI / 180e9,
  NatoMil: Math.PI / 3200,
  Tilt: Math.PI / 2,
};

const energy: Factors = {
  Joule: 1,
  Kilojoule: 1e3,
  Megajoule: 1e6,
  Gigajoule: 1e9,
  Terajoule: 1e12,
  Petajoule: 1e15,
  Millijoule: 1e-3,
  Calorie: 4.184,
  Kilocalorie: 4184,
  Megacalorie: 4.184e6,
  WattHour: 3600,
  KilowattHour: 3.6e6,
  MegawattHour: 3.6e9,
  GigawattHour: 3.6e12,
  TerawattHour: 3.6e15,
  WattDay: 86_400,
  KilowattDay: 8.64e7,
  MegawattDay: 8.64e10,
  BritishThermalUnit: 1055.05585262,
  KilobritishThermalUnit: 1055.05585262e3,
  MegabritishThermalUnit: 1055.05585262e6,
  ElectronVolt: 1.602176565e-19,
  KiloelectronVolt: 1.602176565e-16,
  MegaelectronVolt: 1.602176565e-13,
  Erg: 1e-7,
  FootPound: 1.355817948,
  ThermEc: 105_505_585.262,
  ThermImperial: 105_505_585.25736,
  ThermUs: 105_480_400,
  HorsepowerHour: 2.6845195377e6,
};

const force: Factors = {
  Newton: 1,
  Kilonewton: 1e3,
  Meganewton: 1e6,
  Millinewton: 1e-3,
  Micronewton: 1e-6,
  Decanewton: 10,
  Dyn: 1e-5,
  KilogramForce: 9.80665,
  KiloPond: 9.80665,
  PoundForce: 4.4482216152605,
  KilopoundForce: 4448.2216152605,
  OunceForce: 4.4482216152605 / 16,
  Poundal: 0.138254954376,
  ShortTonForce: 8896.443230521,
  TonneForce: 9806.65,
};

const length: Factors = {
  Meter: 1,
  Kilometer: 1e3,
  Hectometer: 1e2,
  Decameter: 10,
  Decimeter: 0.1,
  Centimeter: 1e-2,
  Millimeter: 1e-3,
  Micrometer: 1e-6,
  Nanometer: 1e-9,
  Angstrom: 1e-10,
  Megameter: 1e6,
  Gigameter: 1e9,
  Inch: 0.0254,
  Microinch: 2.54e-8,
  Mil: 2.54e-5,
  Foot: 0.3048,
  Yard: 0.9144,
  Mile: 1609.344,
  NauticalMile: 1852,
  Fathom: 1.8288,
  Chain: 20.1168,
  Hand: 0.1016,
  AstronomicalUnit: 149_597_870_700,
  LightYear: 9.46073047258e15,
  Parsec: 3.08567758128e16,
  UsSurveyFoot: 1200 / 3937,
  Shackle: 27.432,
};

const mass: Factors = {
  Kilogram: 1,
  Gram: 1e-3,
  Hectogram: 0.1,
  Decagram: 1e-2,
  Decigram: 1e-4,
  Centigram: 1e-5,
  Milligram: 1e-6,
  Microgram: 1e-9,
  Nanogram: 1e-12,
  Tonne: 1e3,
  Kilotonne: 1e6,
  Megatonne: 1e9,
  Pound: 0.45359237,
  Kilopound: 453.59237,
  Megapound: 453_592.37,
  Ounce: 0.028349523125,
  Stone: 6.35029318,
  ShortTon: 907.18474,
  LongTon: 1016.0469088,
  ShortHundredweight: 45.359237,
  LongHundredweight: 50.80234544,
  Grain: 6.479891e-5,
  Slug: 14.5939029372,
  SolarMass: 1.98947e30,
  EarthMass: 5.9722e24,
};

const perTime: Factors = { Second: 1, Minute: 60, Hour: 3600 };
const speedLengths: Factors = { ...length, UsSurveyFoot: 1200 / 3937 };

function speedFactor(unit: string): number | undefined {
  if (unit === "Knot") return 1852 / 3600;
  if (unit === "Mach") return 340.29;
  const match = /^(.+)Per(Second|Minute|Hour)$/.exec(unit);
  const [distance, time] = [speedLengths[match?.[1] ?? ""], perTime[match?.[2] ?? ""]];
  return distance === undefined || time === undefined ? undefined : distance / time;
}

const volume: Factors = {
  CubicMeter: 1,
  CubicKilometer: 1e9,
  CubicHectometer: 1e6,
  CubicDecimeter: 1e-3,
  CubicCentimeter: 1e-6,
  CubicMillimeter: 1e-9,
  CubicFoot: 0.028316846592,
  CubicInch: 1.6387064e-5,
  CubicYard: 0.764554857984,
  CubicMile: 4.16818182544058e9,
  Liter: 1e-3,
  Kiloliter: 1,
  Hectoliter: 0.1,
  Deciliter: 1e-4,
  Centiliter: 1e-5,
  Milliliter: 1e-6,
  Microliter: 1e-9,
  UsGallon: 0.003785411784,
  ImperialGallon: 0.00454609,
  UsPint: 4.73176473e-4,
  UsQuart: 9.46352946e-4,
  UsOunce: 2.95735295625e-5,
  ImperialOunce: 2.84130625e-5,
  ImperialPint: 5.6826125e-4,
  UsTablespoon: 1.478676478125e-5,
  UsTeaspoon: 4.92892159375e-6,
  OilBarrel: 0.158987294928,
  AcreFoot: 1 / 0.000810714,
};

const scaled =
  (factor: (unit: string) => number | undefined): RuntimeFunction =>
  ([value = null, from, to]) => {
    const [source, target] = [factor(text(from)), factor(text(to))];
    if (value === null || source === undefined || target === undefined) return null;
    return (integer(value) * source) / target;
  };

const kelvin: Readonly<Record<string, readonly [factor: number, offset: number]>> = {
  Kelvin: [1, 0],
  DegreeCelsius: [1, 273.15],
  DegreeFahrenheit: [5 / 9, 459.67 * (5 / 9)],
  DegreeRankine: [5 / 9, 0],
  DegreeReaumur: [5 / 4, 273.15],
  DegreeDelisle: [-2 / 3, 373.15],
  DegreeNewton: [100 / 33, 273.15],
  DegreeRoemer: [40 / 21, 273.15 - (7.5 * 40) / 21],
  MillidegreeCelsius: [1e-3, 273.15],
  SolarTemperature: [5778, 0],
};

export const unitFunctions: Readonly<Record<string, RuntimeFunction>> = {
  convert_angle: scaled((unit) => angle[unit]),
  convert_energy: scaled((unit) => energy[unit]),
  convert_force: scaled((unit) => force[unit]),
  convert_length: scaled((unit) => length[unit]),
  convert_mass: scaled((unit) => mass[unit]),
  convert_speed: scaled(speedFactor),
  convert_volume: scaled((unit) => volume[unit]),
  convert_temperature: ([value = null, from, to]) => {
    const [source, target] = [kelvin[text(from)], kelvin[text(to)]];
    if (value === null || source === undefined || target === undefined) return null;
    return (integer(value) * source[0] + source[1] - target[1]) / target[0];
  },
};
