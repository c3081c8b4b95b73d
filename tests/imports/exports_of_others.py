"""Files as other services export them: their own header lines, with rows of the sample catalogue below."""

IMDB = (
    "Position,Const,Created,Modified,Description,Title,Original Title,URL,Title Type,IMDb Rating,Runtime (mins),Year,"
    "Genres,Num Votes,Release Date,Directors,Your Rating,Date Rated\r\n"
    "1,tt0113277,2024-01-31,2024-01-31,,Heat,Heat,https://www.imdb.com/title/tt0113277/,Movie,8.3,170,1995,"
    '"Action, Crime, Drama",700000,1995-12-15,Michael Mann,,\r\n'
    "2,tt0903747,2024-02-01,2024-02-01,,Breaking Bad,Breaking Bad,https://www.imdb.com/title/tt0903747/,TV Series,9.5,"
    '45,2008,"Crime, Drama",2000000,2008-01-20,,10,2024-02-02\r\n'
)
IMDB_OLD = (
    '"Position","Const","Created","Modified","Description","Title","URL","Title Type","IMDb Rating","Runtime (mins)",'
    '"Year","Genres","Num Votes","Release Date","Directors"\n'
    '"1","tt0113277","2017-07-30","2017-07-30","","Heat","https://www.imdb.com/title/tt0113277/","movie","8.2","170",'
    '"1995","Crime, Drama","480000","1995-12-06","Michael Mann"\n'
)
IMDB_RATINGS = (
    "Const,Your Rating,Date Rated,Title,Original Title,URL,Title Type,IMDb Rating,Runtime (mins),Year,Genres,Num Votes,"
    "Release Date,Directors\n"
    "tt0113277,9,2020-05-04,Heat,Heat,https://www.imdb.com/title/tt0113277,Movie,8.3,170,1995,Crime,1,1995-12-15,M\n"
)
LETTERBOXD = (
    "Date,Name,Year,Letterboxd URI\n"
    "2023-05-01,Heat,1995,https://boxd.it/2bg8\n"
    '2023-05-02,"Good, the Bad and the Ugly, The",1966,https://boxd.it/28nM\n'
)
LETTERBOXD_LIST = (
    "Letterboxd list export v7\n"
    "Date,Name,Tags,URL,Description\n"
    '2021-11-06,My list,"best, rewatchable",https://boxd.it/list1,"A list,\n\nover three lines."\n'
    "\n"
    "Position,Name,Year,URL,Description\n"
    "1,Heat,1995,https://boxd.it/2bg8,\n"
    "2,Alien,1979,https://boxd.it/2awY,Still holds up\n"
)
TRAKT = (
    "rank,listed_at,type,title,year,trakt_id,imdb_id,tmdb_id,tvdb_id,url,released,runtime,season_number,"
    "season_trakt_id,season_tmdb_id,season_tvdb_id,episode_number,episode_title,episode_released,episode_trakt_id,"
    "episode_imdb_id,episode_tmdb_id,episode_tvdb_id,genres\n"
    "1,2022-03-04T05:06:07.000Z,movie,Heat,1995,626,tt0113277,949,,https://trakt.tv/movies/heat-1995,1995-12-15,170,"
    ',,,,,,,,,,,"crime,drama"\n'
)
TRAKT_HISTORY = (
    "watched_at,type,title,year,trakt_rating,trakt_id,imdb_id,tmdb_id\n"
    "2022-03-04T05:06:07.000Z,movie,Heat,1995,84,626,tt0113277,949\n"
)
TRAKT_JSON = (
    '[{"rank": 1, "id": 5, "listed_at": "2022-03-04T05:06:07.000Z", "notes": null, "type": "movie",'
    ' "movie": {"title": "Heat", "year": 1995, "ids": {"trakt": 626, "slug": "heat-1995", "imdb": "tt0113277"}}}]'
)
