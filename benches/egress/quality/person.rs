//! Data about persons, made up with right checksums, and the texts that they are met in.

use super::dice::{DIGITS, Dice};
use super::fill::fill;
use super::number::{
    aadhaar, aba, address, bsn, card, codice, cpf, dni, email, iban, luhn, nhs, nir, pesel, phone, spaced,
    ssn, steuer,
};

/// A kind: its name, how it is made, and its texts: for tuning, held back.
pub(crate) type Kind = (&'static str, fn(&mut Dice) -> String, [&'static [&'static str]; 2]);

pub(crate) const KINDS: &[Kind] = &[
    (
        "card",
        card,
        [
            &[
                "card: {V} exp {m}/28\n",
                "{\"pan\":\"{V}\",\"cvv\":\"{d:3}\"}\n",
                "{first} {last},{V},{m}/27\n",
                "I paid with {V} yesterday\n",
            ],
            &[
                "Please charge my Visa {V}, it expires {m}/29.\n",
                "<CardNumber>{V}</CardNumber>\n",
                "INSERT INTO payments VALUES ({n}, '{V}', {d:3}.{d:2});\n",
                "{first} {last};{V};{D:3}.{d:2} EUR\n",
                "Kreditkarte {V} gültig bis {m}/30\n",
                "customer gave number {V} on the phone\n",
            ],
        ],
    ),
    (
        "iban",
        iban,
        [
            &["IBAN: {V}\n", "pay to {V} please\n", "{\"iban\":\"{V}\",\"name\":\"{first} {last}\"}\n"],
            &[
                "Bitte überweisen Sie {n} EUR auf {V} bis zum {day}.{m}.\n",
                "{last};{first};{V};{D:4},{d:2}\n",
                "<Acct><Id>{V}</Id></Acct>\n",
                "Virement vers le compte {V}, merci\n",
                "account holder {first} {last}, account {V}\n",
            ],
        ],
    ),
    (
        "ssn",
        ssn,
        [
            &[
                "SSN: {V}\n",
                "{\"ssn\":\"{V}\"}\n",
                "{first} {last}, {V}, payroll\n",
                "my social security number is {V}\n",
            ],
            &[
                "Employee {first} {last} (social {V}) starts on {m}/{day}.\n",
                "<SocialSecurityNumber>{V}</SocialSecurityNumber>\n",
                "name,ssn,salary\n{first} {last},{V},{D:5}\n",
                "Taxpayer ID no. {V}\n",
                "W-2 for {V} attached\n",
            ],
        ],
    ),
    (
        "phone",
        phone,
        [
            &["tel: {V}\n", "call me at {V}\n", "{\"phone\":\"{V}\"}\n", "{first} {last}, mobile {V}\n"],
            &[
                "You can reach {first} on {V} after six.\n",
                "Telefon: {V}\n",
                "TEL;TYPE=CELL:{V}\n",
                "{last},{first},{V},{w}\n",
                "numéro de téléphone : {V}\n",
                "\"contactNumber\": \"{V}\",\n",
                "Handy {V} (privat)\n",
            ],
        ],
    ),
    (
        "email",
        email,
        [
            &["email: {V}\n", "{\"email\":\"{V}\"}\n", "write to {V}\n"],
            &[
                "{first} {last} <{V}>\n",
                "Kontakt: {V}\n",
                "{n},{first},{V},active\n",
                "EMAIL;TYPE=HOME:{V}\n",
                "her private address is {V}, use that\n",
            ],
        ],
    ),
    (
        "nhs number",
        nhs,
        [
            &["NHS number: {V}\n", "patient {first}, NHS {V}\n"],
            &[
                "NHS No. {V} was admitted on {day}/{m}\n",
                "\"nhsNumber\": \"{V}\"\n",
                "Re: {first} {last} (NHS no {V})\n",
            ],
        ],
    ),
    (
        "uk nino",
        |dice| {
            let mut text = format!(
                "{}{}",
                dice.one_of(&["AB", "CE", "GH", "JK", "LM", "PR", "SR", "WM", "YZ", "HA"]),
                dice.text(DIGITS, 6)
            );
            text.push_str(dice.one_of(&["A", "B", "C", "D"]));
            if dice.once_in(2) { text } else { spaced(&text, &[2, 2, 2, 2, 1], " ") }
        },
        [
            &["National Insurance number: {V}\n", "NI number {V}\n"],
            &[
                "NINO {V}, starter form for {first} {last}\n",
                "<NINumber>{V}</NINumber>\n",
                "insurance no (UK): {V}\n",
            ],
        ],
    ),
    (
        "es dni",
        dni,
        [
            &["DNI: {V}\n", "DNI {V}, {first} {last}\n"],
            &["con DNI número {V}, natural de Sevilla\n", "NIF/DNI;{V};{last}\n"],
        ],
    ),
    (
        "pl pesel",
        pesel,
        [
            &["PESEL: {V}\n", "pesel {V}\n"],
            &["numer PESEL {V}, zamieszkały w Krakowie\n", "<pesel>{V}</pesel>\n"],
        ],
    ),
    (
        "nl bsn",
        bsn,
        [
            &["BSN: {V}\n", "burgerservicenummer {V}\n"],
            &["Mijn BSN is {V}, groet {first}\n", "\"bsn\": \"{V}\"\n"],
        ],
    ),
    (
        "de steuer-id",
        steuer,
        [
            &["Steuer-ID: {V}\n", "IdNr. {V}\n"],
            &["Steueridentifikationsnummer {V} (Frau {last})\n", "steuerliche Identifikationsnummer: {V}\n"],
        ],
    ),
    (
        "fr nir",
        nir,
        [
            &["NIR: {V}\n", "numéro de sécurité sociale {V}\n"],
            &["N° sécu : {V} (M. {last})\n", "\"numeroSecuriteSociale\": \"{V}\"\n"],
        ],
    ),
    (
        "br cpf",
        cpf,
        [&["CPF: {V}\n", "cpf {V}\n"], &["inscrito no CPF sob o nº {V}, residente\n", "\"cpf\": \"{V}\"\n"]],
    ),
    (
        "ca sin",
        |dice| {
            let text = luhn(dice.one_of(&["1", "2", "4", "5", "6", "7"]), 9, dice);
            spaced(&text, &[3, 3, 3], dice.one_of(&[" ", "-"]))
        },
        [
            &["SIN: {V}\n", "social insurance number {V}\n"],
            &["Social Insurance No. {V} for {first}\n", "\"sin\": \"{V}\"\n"],
        ],
    ),
    (
        "in aadhaar",
        aadhaar,
        [
            &["Aadhaar: {V}\n", "aadhaar number {V}\n"],
            &["Aadhaar card no. {V} of {first} {last}\n", "\"aadhaarNumber\": \"{V}\"\n"],
        ],
    ),
    (
        "it codice fiscale",
        codice,
        [
            &["codice fiscale: {V}\n", "CF {V}\n"],
            &["C.F. {V}, nato a Milano\n", "<CodiceFiscale>{V}</CodiceFiscale>\n"],
        ],
    ),
    (
        "passport",
        |dice| match dice.below(3) {
            0 => format!("{}{}", dice.text("ACEHKMPX", 1), dice.text("123456789", 8)),
            1 => dice.text("123456789", 9),
            _ => format!("C{}", dice.text("0123456789CFGHJKLMNPRTVWXYZ", 8)),
        },
        [
            &["passport number: {V}\n", "Passport No: {V}\n"],
            &[
                "Reisepass-Nr. {V}, ausgestellt in Bonn\n",
                "\"passportNumber\": \"{V}\"\n",
                "travels on passport {V}, nationality {w}\n",
            ],
        ],
    ),
    (
        "medical record",
        |dice| match dice.below(3) {
            0 => dice.text("123456789", 8),
            1 => format!("{}-{}-{}", dice.text("123456789", 3), dice.text(DIGITS, 2), dice.text(DIGITS, 3)),
            _ => format!("M{}", dice.text("123456789", 7)),
        },
        [
            &["MRN: {V}\n", "medical record number {V}\n"],
            &[
                "Patient: {last}, {first}   MRN# {V}   DOB 19{d:2}-{m}-{day}\n",
                "\"medicalRecordNumber\": \"{V}\"\n",
            ],
        ],
    ),
    (
        "date of birth",
        |dice| {
            let (year, month, day) = (dice.between(1935, 2012), dice.between(1, 12), dice.between(1, 28));
            let names = ["January", "February", "March", "April", "May", "June", "July", "August"];
            match dice.below(5) {
                0 => format!("{year}-{month:02}-{day:02}"),
                1 => format!("{month:02}/{day:02}/{year}"),
                2 => format!("{day:02}.{month:02}.{year}"),
                3 => format!("{day} {} {year}", dice.one_of(&names)),
                _ => format!("{} {day}, {year}", dice.one_of(&names)),
            }
        },
        [
            &[
                "date of birth: {V}\n",
                "DOB: {V}\n",
                "geboren am {V} in Ulm\n",
                "\"dateOfBirth\": \"{V}\"\n",
                "{first} was born on {V}\n",
                "fecha de nacimiento: {V}\n",
            ],
            &[
                "DOB ({first} {last}) {V}\n",
                "<birthdate value=\"{V}\"/>\n",
                "Geburtsdatum der Versicherten: {V}\n",
                "née le {V} (date de naissance)\n",
                "birth_date;{V};{last}\n",
                "data di nascita {V}\n",
                "her birthday ({V}) falls on a Monday\n",
                "{last}, {first} * {V}, birthplace Turin\n",
            ],
        ],
    ),
    (
        "address",
        address,
        [
            &[
                "address: {V}\n",
                "ship to {V}\n",
                "{first} {last}\n{V}\n",
                "lives at {V} since May\n",
                "Anschrift: {V}\n",
                "\"homeAddress\": \"{V}\"\n",
            ],
            &[
                "The parcel for {first} goes to {V}, second floor.\n",
                "<addr>{V}</addr>\n",
                "Wohnhaft: {V}\n",
                "{n},{first} {last},\"{V}\",{w}\n",
                "billing_address = {V}\n",
                "Moved from {V} last year\n",
            ],
        ],
    ),
    (
        "name",
        |dice| fill("{first} {last}", "", dice),
        [
            &["full name: {V}\n", "Patient name: {V}\n"],
            &[
                "\"lastNameFirst\": \"x\", \"fullName\": \"{V}\"\n",
                "Name des Patienten: {V}\n",
                "employee name: {V}\n",
            ],
        ],
    ),
    (
        "bank routing",
        aba,
        [
            &["routing number: {V}\n"],
            &["ABA no. {V}, account {D:10}\n", "wire to {w} bank, routing transit number {V}\n"],
        ],
    ),
];

/// Kinds that there is no rule for; told apart, and in no total. Names of persons are words, and only a list of them or a
/// model of language tells them from others.
pub(crate) const BEYOND: &[&str] = &["name"];
