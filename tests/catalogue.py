"""What a migrated database holds: compared with the catalogue, line by line."""

CONSTRAINTS = [
    "audit.events events_pkey PRIMARY KEY (id)",
    "clients clients_auth_method_known CHECK (((auth_method IS NULL) OR ((auth_method)::text = ANY ((ARRAY['none'::character varying, 'client_secret_basic'::character varying, 'client_secret_post'::character varying])::text[]))))",
    "clients clients_pkey PRIMARY KEY (client_id)",
    "sessions sessions_end_after_start CHECK ((expires_at > created_at))",
    "sessions sessions_family_id_key UNIQUE (family_id)",
    "sessions sessions_floor_grows CHECK ((gen_floor >= 0))",
    "sessions sessions_pkey PRIMARY KEY (id)",
    "sessions sessions_revoked_for_a_reason CHECK (((revoked_at IS NULL) = (revoked_reason IS NULL)))",
    "sessions sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE",
    "users users_email_norm_key UNIQUE (email_norm)",
    "users users_epoch_grows CHECK ((auth_epoch >= 0))",
    "users users_pkey PRIMARY KEY (id)",
    "users users_roles_known CHECK (((cardinality(roles) > 0) AND (roles <@ ARRAY['USER'::text, 'ADMIN'::text])))",
    "users users_status_known CHECK (((status)::text = ANY ((ARRAY['active'::character varying, 'disabled'::character varying])::text[])))",
]

INDEXES = [
    "CREATE INDEX events_by_name ON audit.events USING btree (name, at DESC)",
    "CREATE INDEX events_by_user ON audit.events USING btree (user_id, at DESC) WHERE (user_id IS NOT NULL)",
    "CREATE INDEX idx_events_at_92f8f6 ON audit.events USING btree (at)",
    "CREATE INDEX idx_sessions_expires_6bcc94 ON public.sessions USING btree (expires_at)",
    "CREATE INDEX sessions_live_by_client ON public.sessions USING btree (client_id) WHERE (revoked_at IS NULL)",
    "CREATE INDEX sessions_live_by_user ON public.sessions USING btree (user_id, created_at DESC) WHERE (revoked_at IS NULL)",
    "CREATE INDEX users_administrators ON public.users USING btree (id) WHERE (roles @> ARRAY['ADMIN'::text])",
    "CREATE UNIQUE INDEX clients_pkey ON public.clients USING btree (client_id)",
    "CREATE UNIQUE INDEX events_pkey ON audit.events USING btree (id)",
    "CREATE UNIQUE INDEX sessions_family_id_key ON public.sessions USING btree (family_id)",
    "CREATE UNIQUE INDEX sessions_pkey ON public.sessions USING btree (id)",
    "CREATE UNIQUE INDEX users_email_norm_key ON public.users USING btree (email_norm)",
    "CREATE UNIQUE INDEX users_pkey ON public.users USING btree (id)",
]

RUNTIME_RIGHTS = {
    "audit.events": "INSERT SELECT",
    "public.clients": "DELETE INSERT SELECT UPDATE",
    "public.sessions": "DELETE INSERT SELECT UPDATE",
    "public.tortoise_migrations": "SELECT",
    "public.users": "DELETE INSERT SELECT UPDATE",
}
