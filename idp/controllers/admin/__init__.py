"""The administrators' REST paths, `/admin/*`: JSON in camelCase, for users with the role ADMIN."""
