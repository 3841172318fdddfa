"""Common words of each language: left out of an index, and a sign of which language a text is."""

from __future__ import annotations

_ENGLISH = """
    a about after again all also am an and any are aren as at be because been before being both but
    by can could couldn d did didn do does doesn doing don down during each few for from further
    had hadn has hasn have haven having he her here hers herself him himself his how i if in into
    is isn it its itself just ll m me might more most must my myself no nor not now of off on once
    only or other our ours ourselves out over own re s same shall she should shouldn so some such t
    than that the their theirs them themselves then there these they this those through to too
    under until up us ve very was wasn we were weren what when where which while who whom whose why
    will with won would wouldn you your yours yourself yourselves
"""
# Chat, not content: of a question these go, too, as long as anything else is left.
_FILLER = """
    hey hi hello thanks thank thx please pls question quick quickly wonder wondering ask asking
    remember recall remind know knew tell told say said mention mentioned forgot forget sorry
    maybe actually really okay ok well oh yes yeah yep no lot totally let lets help need want
    like get got something anything someone anyone ever exactly
"""
_OTHERS = {
    "german": """
        aber als am an auch auf aus bei bin bis bist da das dass dein dem den der des die dir doch
        du durch ein eine einem einen einer eines er es euch für hat hatte habe haben ich ihr im in
        ist ja kann kein keine mein meine mich mir mit nach nicht noch nur oder schon sein seine
        sich sie sind so über um und uns unser unsere vom von vor wann war waren warum was weil
        wenn wer werden wie wir wird wo zu zum zur
    """,
    "french": """
        à au aux avec ce ces cette dans de des du elle elles en est et eu il ils je la le les leur
        lui ma mais me mes moi mon ne nos notre nous on ont ou où par pas plus pour quand que quel
        quelle qui sa sans se ses son sont sur ta te tes toi ton tu un une vos votre vous était
    """,
    "spanish": """
        a al con como cuál cuándo de del dónde el ella ellos en era es esta este esto está están ha
        hay la las le les lo los mas me mi mis muy más no nos nuestra nuestro o para pero por porque
        que quién qué se ser si sin sobre son su sus también te tiene tu tus un una uno y ya yo
    """,
    "italian": """
        a ai al alla che chi ci come con cosa cui da dal dalla dei del della delle di dove e ed è
        era gli ha hai ho i il in io la le lei lo loro lui ma mi mia mio ne nel nella noi non o per
        perché più quando quello questa questo se si sono su sua suo tra tu un una uno vi voi
    """,
    "portuguese": """
        a ao aos as com como da das de do dos e é ela ele eles em era essa esse esta este eu foi há
        isso isto já la lhe mais mas me meu minha muito na nas não no nos nós o onde os ou para pela
        pelo por porque quando que quem se sem ser seu sua são também te tem um uma você
    """,
    "dutch": """
        aan al als bij dan dat de deze die dit doch door een en er had heb hebben heeft het hij hoe
        hun ik in is ja je kan maar me met mij mijn naar niet nog nu of om omdat ons onze ook op
        over te tot u uit van veel voor waar wanneer want waren was wat we wel werd wie wij wordt ze
        zich zij zijn zo
    """,
    "swedish": """
        alla att av blev bli de dem den denna det dig din du då där efter ej eller en er ett från
        för ha hade han har hon hur här i icke inte jag ju kan man med men mig min mitt mot mycket
        ni nu när och om oss på sig sin som så till under upp ut vad var vara vem vi vid vår är
    """,
}

_MONTHS = {
    "english": """
        january february march april may june july august september october november december
    """,
    "german": """
        januar februar märz april mai juni juli august september oktober november dezember
    """,
    "french": """
        janvier février mars avril mai juin juillet août septembre octobre novembre décembre
    """,
    "spanish": """
        enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre
    """,
    "italian": """
        gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre
        dicembre
    """,
    "portuguese": """
        janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro
    """,
    "dutch": """
        januari februari maart april mei juni juli augustus september oktober november december
    """,
    "swedish": """
        januari februari mars april maj juni juli augusti september oktober november december
    """,
}

ENGLISH = "english"
EMPTY_WORDS = frozenset(_ENGLISH.split())
FILLER = frozenset(_FILLER.split())
COMMON_WORDS = {
    ENGLISH: EMPTY_WORDS,
    **{language: frozenset(words.split()) for language, words in _OTHERS.items()},
}
MONTHS = {language: names.split() for language, names in _MONTHS.items()}
# A script tells the language, or one whose endings are much the same.
OF_SCRIPT = {
    "CYRILLIC": "russian",
    "GREEK": "greek",
    "ARABIC": "arabic",
    "DEVANAGARI": "hindi",
    "TAMIL": "tamil",
    "ARMENIAN": "armenian",
}
