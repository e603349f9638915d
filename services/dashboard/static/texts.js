// What the page says, in every language it speaks; the English texts stand in index.html too, for who has no script.
export const texts = {
  en: {
    skip: "Skip to the content", signOut: "Sign out", welcome: "Your runs, in one place", signIn: "Sign in",
    email: "E-mail", password: "Password", register: "Create an account", yourName: "Name",
    newPassword: "Password, at least 8 characters", addRuns: "Add runs", files: "FIT, GPX or TCX files, gzipped or not",
    upload: "Upload", months: "By month", month: "Month", runs: "Runs", distance: "Distance", time: "Time",
    ascent: "Ascent", yourRuns: "Your runs", none: "Nothing here yet. Add your first run above.", when: "When",
    title: "Title", pace: "Pace", actions: "Actions", more: "Show more", back: "Back to all runs",
    profile: "Altitude over distance", splits: "Splits", original: "Download the original file", remove: "Delete",
    sure: "Delete this run?", mailed: "Look into your mail: a link there activates your account.",
    activated: "Your account is active. Sign in.", added: "added", heart: "Heart rate", moving: "Moving time",
    device: "Device", sport: "Sport", unreachable: "Runnerly can't be reached right now.",
  },
  de: {
    skip: "Zum Inhalt", signOut: "Abmelden", welcome: "Deine Läufe an einem Ort", signIn: "Anmelden",
    email: "E-Mail", password: "Passwort", register: "Konto anlegen", yourName: "Name",
    newPassword: "Passwort, mindestens 8 Zeichen", addRuns: "Läufe hinzufügen",
    files: "FIT-, GPX- oder TCX-Dateien, auch gezippt", upload: "Hochladen", months: "Nach Monaten", month: "Monat",
    runs: "Läufe", distance: "Distanz", time: "Zeit", ascent: "Anstieg", yourRuns: "Deine Läufe",
    none: "Noch nichts hier. Füge oben deinen ersten Lauf hinzu.", when: "Wann", title: "Titel", pace: "Tempo",
    actions: "Aktionen", more: "Mehr anzeigen", back: "Zurück zu allen Läufen", profile: "Höhe über Distanz",
    splits: "Abschnitte", original: "Originaldatei herunterladen", remove: "Löschen", sure: "Diesen Lauf löschen?",
    mailed: "Schau in dein Postfach: Ein Link dort aktiviert dein Konto.",
    activated: "Dein Konto ist aktiv. Melde dich an.", added: "hinzugefügt", heart: "Herzfrequenz",
    moving: "Zeit in Bewegung", device: "Gerät", sport: "Sportart", unreachable: "Runnerly ist gerade nicht erreichbar.",
  },
  fr: {
    skip: "Aller au contenu", signOut: "Se déconnecter", welcome: "Vos courses au même endroit", signIn: "Se connecter",
    email: "E-mail", password: "Mot de passe", register: "Créer un compte", yourName: "Nom",
    newPassword: "Mot de passe, au moins 8 caractères", addRuns: "Ajouter des courses",
    files: "Fichiers FIT, GPX ou TCX, compressés ou non", upload: "Envoyer", months: "Par mois", month: "Mois",
    runs: "Courses", distance: "Distance", time: "Temps", ascent: "Dénivelé", yourRuns: "Vos courses",
    none: "Rien ici pour l'instant. Ajoutez votre première course ci-dessus.", when: "Quand", title: "Titre",
    pace: "Allure", actions: "Actions", more: "Afficher plus", back: "Retour à toutes les courses",
    profile: "Altitude selon la distance", splits: "Intervalles", original: "Télécharger le fichier d'origine",
    remove: "Supprimer", sure: "Supprimer cette course ?",
    mailed: "Consultez votre messagerie : un lien y active votre compte.",
    activated: "Votre compte est actif. Connectez-vous.", added: "ajoutée", heart: "Fréquence cardiaque",
    moving: "Temps en mouvement", device: "Appareil", sport: "Sport",
    unreachable: "Runnerly est injoignable pour le moment.",
  },
};

export const language = Object.keys(texts).find((known) => navigator.language.startsWith(known)) ?? "en";
export const text = (key) => texts[language][key] ?? texts.en[key];
