"""What people say, in the words that the catalogue has for it.

Values are queries of PostgreSQL's `to_tsquery`; their labels say where a word must stand (`Movie.words`): genres and
countries are C, languages D.
"""

from collections.abc import Iterator

# PostgreSQL's own list (tsearch_data/english.stop), and what says nothing in a question about films.
_NOISE = """
i me my myself we our ours ourselves you your yours yourself yourselves he him his himself she her hers herself it
its itself they them their theirs themselves what which who whom this that these those am is are was were be been
being have has had having do does did doing a an the and but if or because as until while of at by for with about
against between into through during before after above below to from up down in out on off over under again further
then once here there when where why how all any both each few more most other some such no nor not only own same so
than too very s t can will just don should now

movie movies film films picture pictures flick flicks cinema title titles something anything somebody someone like
likes similar want wants wanted would could please show shows watch watching see seen give find recommend suggest
suggestion suggestions best good great nice top favourite favorite famous popular really lot lots kind kinds type
types sort sorts thing things starring stars star featuring directed director directors actor actors actress played
plays set based made make makes making called named tonight evening ll ve re m d let us im id
"""
NOISE = frozenset(_NOISE.split())

_GENRES = {
    "Sci-Fi": ("sci fi", "scifi", "science fiction", "sf"),
    "Film-Noir": ("noir", "film noir", "films noirs"),
    "Romance": ("romance", "romantic", "romances", "love story", "love stories"),
    "Comedy": ("comedy", "comedies", "funny", "hilarious", "laugh", "laughs", "feel good"),
    "Horror": ("horror", "horrors", "scary", "frightening", "terrifying"),
    "Animation": ("animation", "animated", "cartoon", "cartoons"),
    "Documentary": ("documentary", "documentaries"),
    "Biography": ("biography", "biographies", "biographical", "biopic", "biopics"),
    "History": ("history", "historical"),
    "Musical": ("musical", "musicals"),
    "Drama": ("drama", "dramas", "sad", "tearjerker", "tearjerkers", "melancholy"),
    "Thriller": ("thriller", "thrillers", "suspense", "suspenseful", "gripping"),
    "Mystery": ("mystery", "mysteries", "whodunit", "whodunits"),
    "Family": ("family", "kids", "children s"),
    "Western": ("western", "westerns"),
    "Adventure": ("adventure", "adventures"),
    "Fantasy": ("fantasy", "fantasies"),
    "Action": ("action",),
    "Sport": ("sport", "sports"),
    "Short": ("short film", "short films", "shorts"),
}
_COUNTRIES = {
    "United States": ("american", "usa"),
    "United Kingdom": ("british", "english", "uk", "scottish", "welsh"),
    "Ireland": ("irish",),
    "France": ("french",),
    "Germany": ("german",),
    "Italy": ("italian",),
    "Spain": ("spanish",),
    "Portugal": ("portuguese",),
    "Sweden": ("swedish",),
    "Denmark": ("danish",),
    "Norway": ("norwegian",),
    "Finland": ("finnish",),
    "Iceland": ("icelandic",),
    "Netherlands": ("dutch",),
    "Belgium": ("belgian",),
    "Austria": ("austrian",),
    "Switzerland": ("swiss",),
    "Poland": ("polish",),
    "Hungary": ("hungarian",),
    "Romania": ("romanian",),
    "Greece": ("greek",),
    "Turkey": ("turkish",),
    "Russia": ("russian",),
    "Soviet Union": ("soviet",),
    "Ukraine": ("ukrainian",),
    "Iran": ("iranian", "persian"),
    "Israel": ("israeli",),
    "Egypt": ("egyptian",),
    "Senegal": ("senegalese",),
    "India": ("indian", "bollywood"),
    "China": ("chinese",),
    "Taiwan": ("taiwanese",),
    "Japan": ("japanese",),
    "South Korea": ("korean",),
    "Thailand": ("thai",),
    "Vietnam": ("vietnamese",),
    "Indonesia": ("indonesian",),
    "Australia": ("australian",),
    "New Zealand": ("kiwi",),
    "Canada": ("canadian",),
    "Mexico": ("mexican",),
    "Brazil": ("brazilian",),
    "Argentina": ("argentine", "argentinian"),
    "Chile": ("chilean",),
    "Colombia": ("colombian",),
    "Cuba": ("cuban",),
}
_TOPICS = {
    "space": "space | spaceship | spacecraft | astronaut | planet | galaxy | orbit | moon",
    "dog": "dog | puppy",
    "dogs": "dog | puppy",
    "boxing": "boxer | prizefighter",
    "heist": "heist | robbery | rob | thief | burglar",
    "mafia": "mafia | gangster | mob | godfather",
    "gangster": "gangster | mafia | mob",
    "gangsters": "gangster | mafia | mob",
    "robot": "robot | android | cyborg | machine",
    "robots": "robot | android | cyborg | machine",
    "anime": "'Animation':C & 'Japan':C",
    "samurai": "samurai | ronin | swordsman",
}


def _meanings() -> Iterator[tuple[str, str]]:
    for genre, phrases in _GENRES.items():
        yield from ((phrase, f"'{genre}':C") for phrase in phrases)
    for country, phrases in _COUNTRIES.items():
        yield from ((phrase, f"'{country}':C | {phrase}:D") for phrase in phrases)
    yield from _TOPICS.items()


# What phrases of one to three words are looked for as; other words are looked for as they are, wherever they stand.
MEANINGS = dict(_meanings())
LONGEST_PHRASE = max(len(phrase.split()) for phrase in MEANINGS)
